import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { acquireFreeLock } from '../../src/blobstore/lock.ts';
import { openStaging } from '../../src/rootfs/staging.ts';

let work: string;
let target: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'orphans-'));
  target = join(work, 'rootfs');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(work, { recursive: true, force: true });
});

/** A staging folder as a killed process leaves it. */
async function killed(then = ''): Promise<void> {
  const program = `
    import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
    const { openStaging } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/rootfs/staging.ts'))});
    const staging = openStaging(${JSON.stringify(target)}, true);
    mkdirSync(staging.rootfs);
    writeFileSync(staging.rootfs + '/file', 'half');
    ${then}
    process.kill(process.pid, 'SIGKILL');`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]).catch(() => {});
}

/** As if an hour had passed: the file system's clock cannot be turned. */
function later(): void {
  vi.useFakeTimers({ now: Date.now() + 3_600_000, toFake: ['Date'] });
}

const staged = (): string[] => readdirSync(work).filter((name) => name.startsWith('.rootfs.unpack-'));

it('what a killed unpack left is cleared away by the next one to the same place', async () => {
  await killed();
  expect(staged()).toHaveLength(1);
  later();
  const staging = openStaging(target, false);
  expect(staged()).toEqual([staging.folder.slice(work.length + 1)]);
  staging.remove();
  expect(readdirSync(work)).toEqual([]);
});

it('what a living unpack builds is left alone', () => {
  const living = openStaging(target, false);
  later();
  const second = openStaging(target, false);
  expect(staged()).toHaveLength(2);
  second.remove();
  living.remove();
  expect(readdirSync(work)).toEqual([]);
});

it('a folder that is a moment old may be one whose lock is yet to come', async () => {
  await killed();
  const staging = openStaging(target, false);
  expect(staged()).toHaveLength(2);
  staging.remove();
});

it('a folder of that name that is not ours is left alone', () => {
  mkdirSync(join(work, '.rootfs.unpack-abcdef'), { mode: 0o700 });
  mkdirSync(join(work, '.rootfs.unpack-backup1'), { mode: 0o700 });
  for (const name of ['.rootfs.unpack-opened', '.rootfs.unpack-locked'])
    mkdirSync(join(work, name), { mode: 0o755 });
  writeFileSync(join(work, '.rootfs.unpack-opened/lock'), '');
  acquireFreeLock(join(work, '.rootfs.unpack-locked/lock'))?.release();
  later();
  openStaging(target, false).remove();
  expect(staged()).toHaveLength(4);
});

it('killed between taking the old content away and putting the new in place, the old comes back', async () => {
  mkdirSync(target);
  writeFileSync(join(target, 'old'), 'precious');
  await killed(`renameSync(${JSON.stringify(target)}, staging.folder + '/replaced');`);
  expect(readdirSync(work)).toHaveLength(1);
  later();
  openStaging(target, true).remove();
  expect(readFileSync(join(target, 'old'), 'utf8')).toBe('precious');
  expect(staged()).toEqual([]);
});
