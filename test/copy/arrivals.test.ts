// Layers unpacked while a copy brings them: what is written follows the bytes, and nothing of it is believed before
// the blob's digest is.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { watchArrivals } from '../../src/copy/arrivals.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { abortError } from '../../src/errors.ts';
import { parseDocument } from '../../src/manifest/document.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type UnpackResult, unpack } from '../../src/rootfs/unpack.ts';
import { addImage, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, file } from '../support/tar-builder.ts';

let dir: string;
let root: string;
let store: BlobStore;
let place: MemoryPlace;
const name = parseReference('example.com/app:1');
const big = randomBytes(3_000_000);
const tar = buildTar([file('first', 'one'), file('big', big), file('last', 'three')]);

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-arrivals-'));
  root = join(dir, 'rootfs');
  store = await openStore(join(dir, 'store'));
  place = memoryPlace();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Copies the image of these layers and unpacks it on the way; everything has ended when this settles. */
async function copyAndUnpack(layers: Buffer[], signal?: AbortSignal): Promise<UnpackResult> {
  const descriptor = addImage(place, { layers });
  nameImage(place, name, descriptor);
  const document = parseDocument(place.blobs.get(descriptor.digest) as Buffer, { descriptor });
  if (document.kind !== 'manifest') throw new Error('a manifest was expected');
  const wanted = document.manifest.layers;
  const arrivals = watchArrivals(store, wanted);
  const copying = createCopier(arrivals.target, { signal }).copy(place, name);
  copying.catch(arrivals.fail);
  try {
    const sources = wanted.map((layer) => ({
      descriptor: layer,
      location: store.locationOf(layer),
      arrival: arrivals.of(layer),
    }));
    const result = await unpack(sources, root, { signal });
    await copying;
    return result;
  } finally {
    await copying.catch(() => {});
    arrivals.close();
  }
}

/** What lies below the folder: the store, and the destination if it is there. */
const left = (): string[] => readdirSync(dir).sort();

function stagedFile(path: string): boolean {
  return left().some((entry) => existsSync(join(dir, entry, '0', 'root', path)));
}

/** Lets the layer's bytes pass up to `at`; then waits for `before` to end. */
function holdAt(at: number, before: () => Promise<void>): void {
  const fetch = place.fetch;
  place.fetch = async (descriptor, options) => {
    const stream = await fetch(descriptor, options);
    if (descriptor.size < 1_000_000) return stream;
    return stream.compose(async function* (chunks: AsyncIterable<Buffer>) {
      let passed = 0;
      for await (const chunk of chunks) {
        if (passed < at && passed + chunk.length >= at) await before();
        passed += chunk.length;
        yield chunk;
      }
    });
  };
}

/** Waits until the worker has written the first file. */
async function untilBegun(): Promise<void> {
  while (!stagedFile('first')) await pause(5);
}

test('files are written while their layer is still on its way', async () => {
  holdAt(2_000_000, untilBegun);
  const { layers } = await copyAndUnpack([gzipSync(tar), buildTar([file('second', 'two')])]);
  expect(layers.map(({ files }) => files)).toEqual([3, 1]);
  expect(readdirSync(root).sort()).toEqual(['big', 'first', 'last', 'second']);
  expect(readFileSync(join(root, 'big')).equals(big)).toBe(true);
  expect((await store.check()).ok).toBe(true);
});

test('a layer that is there already, and one that the image has twice', async () => {
  await copyAndUnpack([tar]);
  rmSync(root, { recursive: true });
  const other = buildTar([file('second', 'two')]);
  await copyAndUnpack([other, tar, other]);
  expect(readdirSync(root).sort()).toEqual(['big', 'first', 'last', 'second']);
});

test('bytes that were changed on the way are told as what they are, though gzip stumbled first', async () => {
  const layer = gzipSync(tar);
  const descriptor = addImage(place, { layers: [layer] });
  nameImage(place, name, descriptor);
  await expect(changed(layer, 1_500_000)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(left()).toEqual(['store']);
  expect((await store.check()).ok).toBe(true);
});

test('a changed byte in the content of a file leaves nothing behind', async () => {
  await expect(changed(tar, 1_500_000)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(left()).toEqual(['store']);
});

/** Unpacks an image whose layer arrives with one byte changed. */
function changed(layer: Buffer, at: number): Promise<UnpackResult> {
  const fetch = place.fetch;
  place.fetch = async (descriptor, options) => {
    const stream = await fetch(descriptor, options);
    if (descriptor.size !== layer.length) return stream;
    return stream.compose(async function* (chunks: AsyncIterable<Buffer>) {
      let passed = 0;
      for await (const chunk of chunks) {
        const copy = Buffer.from(chunk);
        if (passed <= at && at < passed + copy.length)
          copy[at - passed] = (copy[at - passed] as number) ^ 255;
        passed += copy.length;
        yield copy;
      }
    });
  };
  return copyAndUnpack([layer]);
}

test('what an earlier attempt left and was wrong is unpacked again from its start', async () => {
  const layer = gzipSync(tar);
  const descriptor = addImage(place, { layers: [layer] });
  const document = parseDocument(place.blobs.get(descriptor.digest) as Buffer, { descriptor });
  if (document.kind !== 'manifest') throw new Error('a manifest was expected');
  const earlier = await store.ingest(document.manifest.layers[0]!);
  const wrong = gzipSync(buildTar([file('wrong', big)]));
  await earlier?.write(wrong.subarray(0, 2_000_000));
  await earlier?.suspend();
  await copyAndUnpack([layer]);
  expect(readdirSync(root).sort()).toEqual(['big', 'first', 'last']);
  expect(readFileSync(join(root, 'big')).equals(big)).toBe(true);
});

test('a download that fails midway ends the unpack with its error, and nothing waits', async () => {
  holdAt(2_000_000, async () => {
    await untilBegun();
    throw new Error('the line broke');
  });
  await expect(copyAndUnpack([gzipSync(tar)])).rejects.toThrow('the line broke');
  expect(left()).toEqual(['store']);
});

test('the signal stops download and unpack, also while a worker waits for bytes', async () => {
  const abort = new AbortController();
  holdAt(2_000_000, async () => {
    await untilBegun();
    abort.abort();
    throw abortError(abort.signal);
  });
  await expect(copyAndUnpack([gzipSync(tar)], abort.signal)).rejects.toMatchObject({ code: 'ABORTED' });
  expect(left()).toEqual(['store']);
});
