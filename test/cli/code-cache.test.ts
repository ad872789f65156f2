// Compiled code in a folder that somebody else made would run as us: /tmp is everybody's.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const FILE = join(import.meta.dirname, '../../bin/code-cache.cjs');
const uid = process.geteuid?.() ?? 0;

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-code-cache-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

function used(dir: string, more: NodeJS.ProcessEnv = {}): string {
  const script = `process.stdout.write(String(require(${JSON.stringify(FILE)}).useCodeCache()))`;
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined, TMPDIR: dir, ...more };
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', env }).stdout;
}

describe('what Node has compiled', () => {
  it('is kept in a folder that is ours alone', () => {
    const dir = temporaryFolder();
    const folder = join(dir, `ocitool-code-${uid}`);
    expect([used(dir), used(dir)]).toEqual([folder, folder]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('is kept where the user says', () => {
    const dir = temporaryFolder();
    expect(used(dir, { NODE_COMPILE_CACHE: join(dir, 'mine') })).toBe(join(dir, 'mine'));
    expect(existsSync(join(dir, `ocitool-code-${uid}`))).toBe(false);
  });

  it('is not kept where others may write, or in a folder behind a link', () => {
    const [open, linked] = [temporaryFolder(), temporaryFolder()];
    mkdirSync(join(open, `ocitool-code-${uid}`));
    chmodSync(join(open, `ocitool-code-${uid}`), 0o777);
    mkdirSync(join(linked, 'elsewhere'), { mode: 0o700 });
    symlinkSync('elsewhere', join(linked, `ocitool-code-${uid}`));
    expect([used(open), used(linked)]).toEqual(['undefined', 'undefined']);
  });

  it.runIf(uid === 0)('is not kept in a folder of somebody else', () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, `ocitool-code-${uid}`), { mode: 0o700 });
    chownSync(join(dir, `ocitool-code-${uid}`), 4001, 4001);
    expect(used(dir)).toBe('undefined');
  });
});
