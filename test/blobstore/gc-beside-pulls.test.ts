// Copies and gc at once, in processes of their own: no image with a name ever lacks a blob. 20 seconds, or as many as
// $OCITOOL_GC_SECONDS says (600 before a release).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { scratch } from './fill.ts';

const SECONDS = Number(process.env.OCITOOL_GC_SECONDS ?? 20);
/** Longer than a copy takes on a busy machine, shorter than layers lie unused. */
const GRACE = 4000;
const ROLES = ['copy', 'copy', 'copy', 'sweep', 'sweep'];

it(`keeps every named image whole for ${SECONDS} s`, { timeout: (SECONDS + 60) * 1000 }, async () => {
  const dir = join(scratch(), 'store');
  const script = join(import.meta.dirname, 'gc-worker.ts');
  const workers = ROLES.map((role, i) => {
    const child = spawn(process.execPath, [script, role, dir, String(i), String(GRACE)], {
      stdio: 'pipe',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return { child, role, output: text(child.stdout), errors: text(child.stderr), exit: once(child, 'exit') };
  });
  await Promise.race([sleep(SECONDS * 1000), ...workers.map(({ exit }) => exit)]);
  for (const { child } of workers) child.stdin.end();
  const ends = await Promise.all(
    workers.map(async ({ child, role, output, errors, exit }) => {
      await exit;
      expect(await errors).toBe('');
      expect(child.exitCode).toBe(0);
      return { role, ...(JSON.parse(await output) as { rounds: number; went: number }) };
    }),
  );
  // Both did something, or nothing was tested.
  expect(ends.filter(({ role }) => role === 'copy').every(({ rounds }) => rounds > 0)).toBe(true);
  expect(ends.reduce((sum, { went }) => sum + went, 0)).toBeGreaterThan(0);
  console.log(ends.map(({ role, rounds, went }) => `${role} ${rounds} times, ${went} blobs went`).join('; '));
  const store = await openStore(dir);
  expect(await store.check()).toMatchObject({ ok: true });
  await store.gc({ grace: 0, partialAge: 0 });
  expect((await store.usage()).unreferenced.count).toBe(0);
  expect(await store.check()).toMatchObject({ ok: true });
});
