// Look-ups below a container's root while the rest of the machine renames and mounts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Context, newContext, openInside } from '../../../src/runner/builtin/context.ts';
import { EAGAIN, ENOENT } from '../../../src/runner/builtin/numbers.ts';
import { SystemCallError } from '../../../src/runner/kernel.ts';
import { canLaunch } from './launcher.ts';

/** A kernel whose look-ups fail with these errnos, one after the other, and then give descriptor 7. */
function contextFailing(errnos: number[]): Context {
  const call: Context['call'] = (name) => {
    const errno = errnos.shift();
    if (errno !== undefined) throw new SystemCallError(name, errno);
    return 7;
  };
  return { call, root: 3 } as Partial<Context> as Context;
}

it('a look-up that a rename elsewhere disturbed is made again', () => {
  expect(openInside(contextFailing([EAGAIN, EAGAIN, EAGAIN]), '/a/../b')).toBe(7);
});

it('one that failed for another reason is not, and none is made for ever', () => {
  expect(() => openInside(contextFailing([EAGAIN, ENOENT]), '/a')).toThrow('openat2: ENOENT');
  const errnos = Array.from({ length: 5000 }, () => EAGAIN);
  expect(() => openInside(contextFailing(errnos), '/a')).toThrow('openat2: EAGAIN');
  expect(errnos.length).toBeGreaterThan(0);
});

it.runIf(canLaunch())('ten thousand of them find what is there while another process renames', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ocitool-lookups-'));
  const script = `
    const { mkdirSync, renameSync } = require('fs');
    const [one, two] = ['one', 'two'].map((name) => process.argv[1] + '/' + name);
    mkdirSync(one);
    console.log('begun');
    for (;;) { renameSync(one, two); renameSync(two, one); }`;
  const renaming = spawn(process.execPath, ['-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(renaming, 'exit');
  onTestFinished(async () => {
    renaming.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  await once(renaming.stdout, 'data');
  mkdirSync(join(folder, 'there'));
  const context = newContext(-1, -1, () => {});
  context.root = openSync(folder, 'r');
  try {
    for (let time = 0; time < 10_000; time++) closeSync(openInside(context, '/there/../../..//there'));
  } finally {
    closeSync(context.root);
  }
});
