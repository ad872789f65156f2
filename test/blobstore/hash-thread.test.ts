// Blobs large enough to be hashed in a thread of their own: the same promises as for small ones, and nothing left open.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_LAYER } from '../../src/manifest/media-types.ts';
import type { Ingest } from '../../src/place/place.ts';
import { digestOf } from '../../src/reference/digest.ts';

const bytes = randomBytes(40_000_000);
const large: Descriptor = { mediaType: OCI_LAYER, digest: digestOf(bytes), size: bytes.length };

let dir: string;
let store: BlobStore;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-hash-'));
  store = await openStore(dir);
});
afterEach(async () => {
  // The thread closes its files and goes by itself.
  await expect.poll(openFiles).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

/** Files of the store this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(dir) ? [path] : [];
    } catch {
      return [];
    }
  });
}

async function begin(descriptor = large): Promise<Ingest> {
  const ingest = await store.ingest(descriptor);
  if (ingest === undefined) throw new Error('the blob is there already');
  return ingest;
}

async function write(ingest: Ingest, content: Buffer): Promise<void> {
  for (let at = 0; at < content.length; at += 60_000) await ingest.write(content.subarray(at, at + 60_000));
}

test('arrives, alone and beside another', async () => {
  const other = randomBytes(33_600_000);
  const second = { ...large, digest: digestOf(other), size: other.length };
  const [one, two] = [await begin(), await begin(second)];
  await Promise.all([write(one, bytes), write(two, other)]);
  await one.commit();
  await two.commit();
  const { path } = await store.locate(large);
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect((await store.check()).ok).toBe(true);
});

test('one wrong byte, too few and too many', async () => {
  const wrong = Buffer.from(bytes);
  wrong[20_000_000] = (wrong[20_000_000] as number) ^ 1;
  let ingest = await begin();
  await write(ingest, wrong);
  await expect(ingest.commit()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  ingest = await begin();
  expect(ingest.offset).toBe(0);
  await write(ingest, bytes.subarray(1));
  await expect(ingest.commit()).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  ingest = await begin();
  await write(ingest, bytes);
  expect(() => ingest.write(Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'SIZE_MISMATCH' }));
  await ingest.abort();
  expect(await store.has(large)).toBe(false);
});

test('goes on where an earlier attempt stopped, and starts over when told to', async () => {
  const first = await begin();
  await write(first, bytes.subarray(0, 12_345_678));
  await first.suspend();
  const second = await begin();
  expect(second.offset).toBe(12_345_678);
  await write(second, Buffer.alloc(1_000_000));
  await second.restart();
  await write(second, bytes.subarray(0, 20_000_000));
  await second.suspend();
  const third = await begin();
  expect(third.offset).toBe(20_000_000);
  await write(third, bytes.subarray(20_000_000));
  await third.commit();
  expect(existsSync((await store.locate(large)).path)).toBe(true);
});
