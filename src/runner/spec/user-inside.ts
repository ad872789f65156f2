// The user of a container, looked up in its root file system on disk.
import { type Inside, openInside, textInside } from './inside.ts';
import { MAX_ACCOUNTS_BYTES, type ResolvedUser, resolveUser } from './user.ts';

/** `resolveUser` with the account files of the tree at `root`, which is read without leaving it. Throws as that. */
export function userInside(root: string, user: string): ResolvedUser {
  const inside = openInside(root);
  try {
    return userOf(inside, user);
  } finally {
    inside.close();
  }
}

/** The same in a tree that is open already. */
export function userOf(inside: Inside, user: string): ResolvedUser {
  const read = (path: string): string => textInside(inside, path, MAX_ACCOUNTS_BYTES);
  return resolveUser(user, read('/etc/passwd'), read('/etc/group'));
}
