// Thousands of pulls from a registry that fails at random: never a wrong byte, success wherever the registry recovers, else
// the right error, and nothing left behind in the store, the process or on the network.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSeed, seededImages } from '../support/fault-run.ts';
import { memoryFolder } from '../support/memory-folder.ts';

const RUNS = Number(process.env.OCITOOL_FAULT_RUNS ?? 2000);
const FIRST = Number(process.env.OCITOOL_FAULT_SEED ?? 1);
/** At once: a run whose server is silent only waits. */
const AT_ONCE = 48;
const FAILURES_SHOWN = 5;

let dir: string;
beforeAll(() => {
  dir = memoryFolder('ocitool-faults-');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function sockets(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP'));
}

test(`${RUNS} pulls from seed ${FIRST} on`, { timeout: 60_000 + RUNS * 100 }, async () => {
  const images = seededImages();
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  await runSeed(FIRST, images, join(dir, 'warm'));
  await expect.poll(sockets).toEqual([]);
  const before = openFiles();
  const failures: string[] = [];
  let seed = FIRST;
  async function worker(): Promise<void> {
    while (seed < FIRST + RUNS && failures.length < FAILURES_SHOWN) {
      const own = seed++;
      await runSeed(own, images, join(dir, String(own))).catch((error: Error) => {
        failures.push(error.message);
      });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(failures.join('\n\n')).toBe('');
  expect(rejections).toEqual([]);
  expect(openFiles()).toBeLessThanOrEqual(before);
  process.off('unhandledRejection', onRejection);
  await expect.poll(sockets).toEqual([]);
});
