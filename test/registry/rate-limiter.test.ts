// --limit-rate: what the bucket lets through in made-up time, and that both directions wait for the same one.
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { createCopier } from '../../src/copy/copier.ts';
import { readVerified } from '../../src/place/verify.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { createRateLimiter, type RateLimiter } from '../../src/registry/rate-limiter.ts';
import { openRepository } from '../../src/registry/repository.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { startUploadServer } from '../support/upload-server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test('lets a burst through, then no more than the rate', () => {
  let now = 0;
  const limiter = createRateLimiter(1_000_000, () => now);
  expect(limiter.take(100_000)).toBe(0);
  expect(limiter.take(50_000)).toBe(50);
  // Another flow waits for what the first one owes, too.
  expect(limiter.take(50_000)).toBe(100);
  now = 100;
  expect(limiter.take(0)).toBe(0);
  expect(limiter.take(10_000)).toBe(10);
});

test('saves nothing up while nothing is asked for', () => {
  let now = 0;
  const limiter = createRateLimiter(1_000_000, () => now);
  now = 3_600_000;
  expect(limiter.take(200_000)).toBe(100);
});

test.each([1, 3, 6])('%i flows get the rate together, whatever comes first', (flows) => {
  let now = 0;
  const limiter = createRateLimiter(5_000_000, () => now);
  const free = Array<number>(flows).fill(0);
  let bytes = 0;
  for (; now < 10_000; now += 1) {
    for (let flow = 0; flow < flows; flow += 1) {
      if ((free[flow] as number) > now) continue;
      bytes += 64_000;
      free[flow] = now + limiter.take(64_000);
    }
  }
  expect(bytes / 10).toBeGreaterThan(4_900_000);
  expect(bytes / 10).toBeLessThan(5_200_000);
});

/** Counts what is taken, and lets a thousandth of a second be waited for each chunk. */
function counting(): RateLimiter & { taken: number; waits: number } {
  return {
    bytesPerSecond: 1e9,
    taken: 0,
    waits: 0,
    take(bytes) {
      this.taken += bytes;
      this.waits += 1;
      return 1;
    },
  };
}

test('downloads wait, and lose nothing by it, also where a connection broke', async () => {
  const content = randomBytes(3_000_000);
  const limiter = counting();
  const server = await startFaultServer(content, [{ type: 'reset', at: 1_000_000 }]);
  const transport = createTransport({ limiter, retry: { baseMs: 1 } });
  closers.push(server.close, transport.close);
  const repository = openRepository(transport, { registry: server.address, repository: 'app' });
  const bytes = await readVerified(await repository.fetch(server.descriptor), server.descriptor);
  expect(bytes.equals(content)).toBe(true);
  expect(limiter.taken).toBe(content.length);
  expect(limiter.waits).toBeGreaterThan(2);
});

test('uploads wait for the same', async () => {
  const limiter = counting();
  const server = await startUploadServer({});
  const transport = createTransport({ limiter });
  closers.push(server.close, transport.close);
  const place = memoryPlace();
  const layer = randomBytes(5_000_000);
  const name = parseReference(`${server.address}/team/app:1`);
  nameImage(place, name, addImage(place, { layers: [layer] }));
  await createCopier(openRepository(transport, name, { access: 'push' })).copy(place, name);
  expect([...server.blobs.values()].some((blob) => blob.equals(layer))).toBe(true);
  expect(limiter.taken).toBeGreaterThanOrEqual(layer.length);
});

test('an abort cuts the wait short', async () => {
  const content = randomBytes(300_000);
  const server = await startFaultServer(content, []);
  const limiter: RateLimiter = { bytesPerSecond: 1, take: () => 3_600_000 };
  const transport = createTransport({ limiter });
  closers.push(server.close, transport.close);
  const controller = new AbortController();
  const repository = openRepository(transport, { registry: server.address, repository: 'app' });
  const stream = await repository.fetch(server.descriptor, { signal: controller.signal });
  stream.once('data', () => setImmediate(() => controller.abort()));
  await expect(readVerified(stream, server.descriptor)).rejects.toMatchObject({ code: 'ABORTED' });
});
