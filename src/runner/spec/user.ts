// USER of an image and --user: names become ids by the image's own /etc/passwd and /etc/group, as Docker reads them.
import { OciError } from '../../errors.ts';
import { nearestName } from '../../rootfs/nearest-name.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** Without the primary one. */
  additionalGids: number[];
  /** `/` when the image does not say. */
  home: string;
}

/** What the files may hold, in bytes; an image could have grown them to fill the memory. */
export const MAX_ACCOUNTS_BYTES = 4 * 1024 * 1024;

/** Ids are signed in many programs; -1 means "leave it" to the kernel. */
const MAX_ID = 2147483647;

/**
 * The ids for `user`, `uid`, `user:group` or `uid:gid`; empty is root. A number need not be in the files, a name must.
 * A group given replaces the primary one and all others. `passwd` and `group` are the files' texts, empty when absent.
 * Throws USER_NOT_FOUND, USAGE for an id out of range, LIMIT_EXCEEDED for files beyond MAX_ACCOUNTS_BYTES.
 */
export function resolveUser(spec: string, passwd: string, group: string): ResolvedUser {
  checkSize('/etc/passwd', passwd);
  checkSize('/etc/group', group);
  const colon = spec.indexOf(':');
  const userText = colon === -1 ? spec : spec.slice(0, colon);
  const groupText = colon === -1 ? '' : spec.slice(colon + 1);
  const wanted = userText === '' ? '0' : userText;
  const users = accounts(passwd, 7);
  const id = parseId(wanted, 'user');
  const found = users.find(([name, , uid]) => (id === undefined ? name === wanted : Number(uid) === id));
  if (found === undefined && id === undefined) {
    throw notFound('user', wanted, users, passwd === '' ? '/etc/passwd' : undefined);
  }
  const [name, , uid, gid, , home] = found ?? [];
  const groups = accounts(group, 4);
  return {
    uid: id ?? idField(uid),
    gid: groupText === '' ? idField(gid) : groupOf(groupText, groups, group === ''),
    additionalGids:
      groupText === '' && name !== undefined
        ? groups
            .filter(([, , , members = '']) => members.split(',').includes(name))
            .map(([, , member]) => idField(member))
        : [],
    home: home === undefined || home === '' ? '/' : home,
  };
}

function groupOf(text: string, groups: string[][], absent: boolean): number {
  const id = parseId(text, 'group');
  if (id !== undefined) return id;
  const found = groups.find(([name]) => name === text);
  if (found === undefined) throw notFound('group', text, groups, absent ? '/etc/group' : undefined);
  return idField(found[2]);
}

/** Lines of a file like /etc/passwd, cut into fields; what has no number in the third is no account. */
function accounts(text: string, fields: number): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter(([name, , id]) => name !== undefined && name !== '' && !name.startsWith('#') && isId(id))
    .map((parts) => parts.slice(0, fields));
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

function idField(text: string | undefined): number {
  return isId(text) ? Number(text) : 0;
}

/** The number a text is, undefined when it is a name. Throws USAGE for one out of range. */
function parseId(text: string, what: 'user' | 'group'): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  if (isId(text)) return Number(text);
  throw new OciError('USAGE', `${what} ${text}: not an id`, { hint: `ids go from 0 to ${MAX_ID}` });
}

function notFound(what: 'user' | 'group', name: string, known: string[][], absent?: string): OciError {
  const names = known.map(([first = '']) => first);
  const near = nearestName(name, names);
  const hint =
    absent !== undefined
      ? `the image has no ${absent}; give a number`
      : near === undefined
        ? `the image knows ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}; a number always works`
        : `did you mean ${near}?`;
  return new OciError('USER_NOT_FOUND', `${what} ${name}: not in the image`, { hint });
}

/** The error for an id that the user namespace, which has `count` of them, does not have. */
export function noHostId(what: 'user' | 'group', id: number, count: number): OciError {
  const file = `/etc/sub${what === 'user' ? 'u' : 'g'}id`;
  return new OciError('UNSUPPORTED', `${what} ${id} of the container has no id on this machine`, {
    hint:
      count === 1
        ? `you have no subordinate ids (${file}): get some, or be root inside with --user 0`
        : `your subordinate ids (${file}) do not reach that far`,
  });
}

function checkSize(file: string, text: string): void {
  if (text.length <= MAX_ACCOUNTS_BYTES) return;
  throw new OciError('LIMIT_EXCEEDED', `${file} of the image is larger than ${MAX_ACCOUNTS_BYTES} bytes`);
}
