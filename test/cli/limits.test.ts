// --max-bytes and --max-entries: one pair of flags for every command that reads layers.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { runCli } from '../support/cli.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTarGz, file } from '../support/tar-builder.ts';

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-limits-'));
  const place = memoryPlace();
  const name = parseReference('example.com/app:1');
  // Each layer is within the bounds the tests set; both together are not.
  const layers = ['a', 'b'].map((path) => buildTarGz([file(path, 'x'.repeat(700_000)), file(`${path}2`)]));
  nameImage(place, name, addImage(place, { layers }));
  await createCopier(await openStore(join(dir, 'store'))).copy(place, name);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = (...args: string[]) => runCli(args, { env: { OCITOOL_STORE: join(dir, 'store') } });
const commands = () => [
  ['unpack', 'example.com/app:1', join(dir, 'out')],
  ['export', 'example.com/app:1', '-o', join(dir, 'out.tar')],
  ['ls', 'example.com/app:1'],
  ['cat', 'example.com/app:1', '/a2'],
  ['why', 'example.com/app:1', '/a2'],
  ['layers', '--read', 'example.com/app:1'],
];

test('an image beyond them is refused with exit 6 and the flag to raise, and leaves nothing', async () => {
  for (const command of commands()) {
    const bytes = await run(...command, '--max-bytes', '1MB');
    expect([command[0], bytes.code, bytes.stderr]).toEqual([
      command[0],
      6,
      expect.stringMatching(/--max-bytes/),
    ]);
    const entries = await run(...command, '--max-entries', '3');
    expect([command[0], entries.code, entries.stderr]).toEqual([
      command[0],
      6,
      expect.stringMatching(/--max-entries/),
    ]);
  }
  expect(readdirSync(dir)).toEqual(['store']);
});

test('an image that reaches them exactly is let through', async () => {
  for (const command of commands()) {
    expect((await run(...command, '--max-bytes', '1.5MiB', '--max-entries', '4')).code).toBe(0);
  }
});

test('a size that is none is a usage error that shows how to write one', async () => {
  for (const size of ['many', '-1', '0', '10XB']) {
    const { code, stderr } = await run('ls', 'example.com/app:1', '--max-bytes', size);
    expect([size, code]).toEqual([size, 2]);
    expect(stderr).toMatch(/^error: --max-bytes \S+: not a size\nhint: .*10GB/);
  }
});

test('a rate that is none is one, too', async () => {
  const { code, stderr } = await run('pull', '--limit-rate', 'fast', 'example.com/app:1');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: --limit-rate fast: not a size\nhint: /);
});
