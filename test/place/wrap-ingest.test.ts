import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { watchArrivals } from '../../src/copy/arrivals.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ImageTarget, Ingest } from '../../src/place/place.ts';
import { wrapIngest } from '../../src/place/wrap-ingest.ts';
import { digestOf } from '../../src/reference/digest.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wrap-ingest-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const bytes = Buffer.from('content');
const small: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: digestOf(bytes),
  size: bytes.length,
};
const large: Descriptor = { ...small, digest: digestOf('large'), size: 64 << 20 };

describe('an ingest of a store, as the copier gets it', () => {
  async function ingestOf(kind: 'plain' | 'watched', descriptor: Descriptor): Promise<Ingest> {
    const store = await openStore(dir);
    const arrivals = watchArrivals(store, [descriptor]);
    arrivals.of(descriptor).arrived.catch(() => {});
    const target: ImageTarget = kind === 'plain' ? store : arrivals.target;
    return (await target.ingest(descriptor)) as Ingest;
  }

  it.each(['plain', 'watched'] as const)('%s, may have its chunks lent', async (kind) => {
    const ingest = await ingestOf(kind, small);
    expect(ingest.takesAtOnce).toBe(true);
    await ingest.abort();
  });

  it.each(['plain', 'watched'] as const)('%s, takes large blobs out of order', async (kind) => {
    const ingest = await ingestOf(kind, large);
    expect(ingest).toMatchObject({ ahead: expect.any(Function), join: expect.any(Function) });
    await ingest.abort();
  });
});

it('keeps what changes, and what it does not know of', () => {
  let offset = 1;
  const inner = {
    get offset() {
      return offset;
    },
    write() {},
    more: 'of it',
  } as unknown as Ingest;
  const wrapped = wrapIngest(inner, {});
  offset = 2;
  expect(wrapped.offset).toBe(2);
  expect(wrapped).toHaveProperty('more', 'of it');
});
