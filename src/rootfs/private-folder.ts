// Folders of our own in places that others share: made open to nobody else, removed whatever an image put into them.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';
import { bytesOf, fsPath } from './tree.ts';

/** A fresh folder in `parent`, open to nobody else, to build `name` in. Throws as `fs` does. */
export function makePrivateFolder(parent: string, name: string, use: string): string {
  const folder = mkdtempSync(join(parent, privatePrefix(name, use)));
  // Without a parent's setgid bit, which would change the group of everything inside.
  chmodSync(folder, 0o700);
  return folder;
}

/** How the names of such folders begin; six letters or digits follow. */
export function privatePrefix(name: string, use: string): string {
  return `.${name.slice(0, 50)}.${use}-`;
}

/** Removes a folder whatever the modes inside it: an image's read-only directories stop a user, though not root. */
export function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOTEMPTY') throw error;
    openUp(bytesOf(folder));
    rmSync(folder, { recursive: true, force: true });
  }
}

function openUp(folder: string): void {
  chmodSync(fsPath(folder), 0o700);
  for (const child of readdirSync(Buffer.from(folder, 'latin1'), {
    withFileTypes: true,
    encoding: 'buffer',
  })) {
    if (child.isDirectory()) openUp(`${folder}/${child.name.toString('latin1')}`);
  }
}
