// A store in a folder of its own, filled from images built in memory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BlobStore } from '../../src/blobstore/store.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { MemoryPlace } from '../support/image-builder.ts';

/** A folder that is gone after the test. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Puts one blob into the store. */
export async function putBlob(store: BlobStore, descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
  const ingest = await store.ingest(descriptor);
  if (ingest === undefined) return;
  await ingest.write(bytes.subarray(ingest.offset));
  await ingest.commit();
}

/** Puts every blob of the place into the store, and gives the image a name. */
export async function fill(
  store: BlobStore,
  place: MemoryPlace,
  image: Descriptor,
  name: string,
): Promise<void> {
  for (const [digest, bytes] of place.blobs) {
    await putBlob(store, { mediaType: 'application/octet-stream', digest, size: bytes.length }, bytes);
  }
  await store.tag(image, parseReference(name));
}
