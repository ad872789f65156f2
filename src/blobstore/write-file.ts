// Small files appear whole or not at all: written beside their place under an exclusive name, then moved there.
import { type BigIntStats, closeSync, fstatSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomName } from '../random-name.ts';

/** Replaces `path` in one step; readers see the old or the new content. Answers what the new file's stat says. */
export function replaceFile(path: string, content: string | Uint8Array): BigIntStats {
  const temporary = `${path}.${process.pid}-${randomName(6)}.tmp`;
  try {
    const fd = openSync(temporary, 'wx', 0o644);
    let stat: BigIntStats;
    try {
      writeFileSync(fd, content);
      stat = fstatSync(fd, { bigint: true });
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    return stat;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
