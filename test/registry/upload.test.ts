// Blobs on their way into a registry: what is sent, what is sent again after a fault, and what never is.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { parseReference, type Reference } from '../../src/reference/reference.ts';
import { openRepository } from '../../src/registry/repository.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';
import { startUploadServer, type UploadFaults, type UploadServer } from '../support/upload-server.ts';

/** More than is held in memory, so that it is streamed. */
const LARGE = 12_000_000;

let place: MemoryPlace;
let transport: Transport;
let events: ProgressEvent[];
const offsets: number[] = [];

beforeEach(() => {
  place = memoryPlace();
  offsets.length = 0;
  events = [];
  const retry = { retries: 3, baseMs: 1, capMs: 1, retryAfterCapMs: 1 };
  transport = createTransport({ retry, onProgress: (event) => events.push(event) });
});
afterEach(() => transport.close());

/** An image of one large layer, whose fetches are written down. */
function largeImage(address: string): { name: Reference; root: Descriptor; layer: Buffer } {
  const layer = randomBytes(LARGE);
  const root = addImage(place, { layers: [layer] });
  const name = parseReference(`${address}/team/app:1`);
  nameImage(place, name, root);
  place.onFetch = ({ size }, offset) => void (size === LARGE && offsets.push(offset));
  return { name, root, layer };
}

async function push(name: Reference) {
  const repository = openRepository(transport, name, { access: 'push' });
  return await createCopier(repository).copy(place, name);
}

async function withServer(
  faults: UploadFaults,
  test: (server: UploadServer) => Promise<void>,
): Promise<void> {
  const server = await startUploadServer(faults);
  try {
    await test(server);
  } finally {
    await server.close();
  }
}

const writes = (server: UploadServer) =>
  server.requests.filter(({ method, bytes }) => (method === 'PUT' || method === 'PATCH') && bytes > 1000);

describe('a large blob', () => {
  test('goes in one request, and counts what was sent', () =>
    withServer({}, async (server) => {
      const { name, root, layer } = largeImage(server.address);
      const result = await push(name);
      expect(result).toMatchObject({ root, reused: 0 });
      expect([...server.blobs.values()].some((blob) => blob.equals(layer))).toBe(true);
      expect(writes(server)).toMatchObject([{ method: 'PUT', bytes: LARGE }]);
      expect(server.manifests.has('1')).toBe(true);
    }));

  test('whose connection breaks goes on where the registry says it stopped', () =>
    withServer({ cuts: [5_000_000, 2_000_000] }, async (server) => {
      const { name, layer } = largeImage(server.address);
      const { transferred, reused } = await push(name);
      expect(offsets).toEqual([0, 5_000_000, 7_000_000]);
      expect([...server.blobs.values()].some((blob) => blob.equals(layer))).toBe(true);
      expect(transferred).toBeGreaterThanOrEqual(LARGE);
      expect(reused).toBe(0);
      expect(events.filter(({ type }) => type === 'retrying')).toHaveLength(2);
    }));

  test('is given up after too many breaks without progress, and nothing gets a name', () =>
    withServer({ cuts: [1000, 1000, 1000, 1000, 1000, 1000] }, async (server) => {
      const { name } = largeImage(server.address);
      await expect(push(name)).rejects.toMatchObject({ code: 'NETWORK' });
      expect(server.manifests.size).toBe(0);
    }));

  test('refused in the middle with 500 is sent again; with 403 it is not', async () => {
    await withServer({ refusals: [500] }, async (server) => {
      const { name } = largeImage(server.address);
      await push(name);
      expect(server.blobs.size).toBe(2);
    });
    await withServer({ refusals: [403] }, async (server) => {
      const { name } = largeImage(server.address);
      await expect(push(name)).rejects.toMatchObject({
        code: 'DENIED',
        hint: expect.stringContaining('login'),
      });
      expect(server.manifests.size).toBe(0);
    });
  });

  test('too large for one request goes in chunks, no smaller than the registry wants them', () =>
    withServer({ maxBody: 11_000_000, minChunk: 10_000_000 }, async (server) => {
      const { name, layer } = largeImage(server.address);
      await push(name);
      expect([...server.blobs.values()].some((blob) => blob.equals(layer))).toBe(true);
      const [first, second] = writes(server);
      expect(first!.bytes).toBeGreaterThanOrEqual(10_000_000);
      expect(second!.range).toBe(`${first!.bytes}-${LARGE - 1}`);
    }));

  test('with other bytes than its digest says: refused here, the upload cancelled', () =>
    withServer({}, async (server) => {
      const { name } = largeImage(server.address);
      for (const [digest, blob] of place.blobs) {
        if (blob.length === LARGE) place.blobs.set(digest, randomBytes(LARGE));
      }
      await expect(push(name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(server.manifests.size).toBe(0);
      expect(server.requests.some(({ method }) => method === 'DELETE')).toBe(true);
    }));

  test('that a registry says it got otherwise after a break: once more from its start, then given up', () =>
    withServer({ cuts: [5_000_000], spoilt: 2 }, async (server) => {
      const { name } = largeImage(server.address);
      await expect(push(name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(offsets).toEqual([0, 5_000_000, 0]);
      expect(server.manifests.size).toBe(0);
    }));

  test('that the source does not have: BLOB_NOT_FOUND, and no name', () =>
    withServer({}, async (server) => {
      const { name } = largeImage(server.address);
      for (const [digest, blob] of place.blobs) if (blob.length === LARGE) place.blobs.delete(digest);
      await expect(push(name)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      expect(server.manifests.size).toBe(0);
    }));
});

describe.skipIf(!hasTools('docker-registry'))('docker-registry, which drops an upload that was cut', () => {
  test('gets it once more from its start', async () => {
    const registry = await startDockerRegistry();
    const proxy = await startCuttingProxy(registry.address, [4_000_000, 6_000_000]);
    try {
      const { name, root } = largeImage(proxy.address);
      await push(name);
      expect(proxy.cuts).toBe(2);
      expect(offsets).toEqual([0, 0, 0]);
      const stored = openRepository(transport, name);
      expect(await stored.resolve(name)).toMatchObject({ digest: root.digest });
    } finally {
      await proxy.close();
      await registry.close();
    }
  });
});
