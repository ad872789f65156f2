// Sixteen processes write one store at once: no name is lost (c/image#1028, oras#149, ggcr#849, buildah#5581), no blob
// is there twice.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readIndexFile } from '../../src/blobstore/index-file.ts';
import { storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { scratch } from './fill.ts';

const PROCESSES = 16;
const IMAGES = 5;

it('keeps every name and one copy of every blob', { timeout: 120_000 }, async () => {
  const dir = join(scratch(), 'store');
  const script = join(import.meta.dirname, 'write-images.ts');
  const ends = Array.from({ length: PROCESSES }, async (_, worker) => {
    const child = spawn(process.execPath, [script, dir, String(worker), String(IMAGES)], {
      stdio: 'inherit',
    });
    await once(child, 'exit');
    return child.exitCode;
  });
  expect(await Promise.all(ends)).toEqual(Array.from({ length: PROCESSES }, () => 0));
  const store = await openStore(dir);
  const names = (await store.list()).map(({ name }) => name);
  expect(names).toHaveLength(PROCESSES * IMAGES + 1);
  for (let worker = 0; worker < PROCESSES; worker += 1) {
    for (let i = 0; i < IMAGES; i += 1) expect(names).toContain(`example.com/worker${worker}:${i}`);
  }
  // A manifest, a config and a layer for each image, and the shared layer.
  expect(readdirSync(join(dir, 'blobs/sha256'))).toHaveLength(PROCESSES * IMAGES * 3 + 1);
  expect(readdirSync(storePaths(dir).ingest)).toEqual([]);
  expect(readdirSync(dir).sort()).toEqual(['blobs', 'index.json', 'oci-layout', 'ocitool']);
  const listed = readIndexFile(join(dir, 'index.json')).map(({ key }) => key);
  expect(new Set(listed)).toEqual(new Set(names));
  expect(await store.check()).toMatchObject({ ok: true });
});
