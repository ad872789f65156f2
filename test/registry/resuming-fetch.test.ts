import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { readVerified } from '../../src/place/verify.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import { createTransport, type TransportOptions } from '../../src/registry/transport.ts';
import { type Fault, type FaultServer, startFaultServer } from '../support/fault-server.ts';

const SIZE = 300_000;
const content = randomBytes(SIZE);
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Scene {
  server: FaultServer;
  repository: Repository;
  events: ProgressEvent[];
}

async function scene(plan: Fault[], options: TransportOptions = {}, bytes: Buffer = content): Promise<Scene> {
  const server = await startFaultServer(bytes, plan);
  const events: ProgressEvent[] = [];
  const transport = createTransport({
    retry: { retries: 3, baseMs: 1, capMs: 2, retryAfterCapMs: 20 },
    onProgress: (event) => events.push(event),
    ...options,
  });
  closers.push(async () => {
    await transport.close();
    await server.close();
  });
  const repository = openRepository(transport, { registry: server.address, repository: 'app' });
  return { server, repository, events };
}

describe('a connection that breaks off', () => {
  it.each([0, 1, 1000, 65_536, 200_000, SIZE - 1])('after %i bytes is resumed from there', async (at) => {
    const { server, repository, events } = await scene([{ type: 'reset', at }]);
    const bytes = await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    expect(bytes.equals(content)).toBe(true);
    expect(server.ranges[0]).toBeUndefined();
    expect(server.ranges).toHaveLength(2);
    const { digest } = server.descriptor;
    expect(events).toContainEqual(expect.objectContaining({ type: 'retrying', attempt: 1, digest }));
  });

  it('asks for the rest with Range', async () => {
    const { server, repository } = await scene([
      { type: 'short', at: 100_000 },
      { type: 'short', at: 50_000 },
    ]);
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    expect(server.ranges).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  });

  it('is resumed when the answer was short by its own Content-Length', async () => {
    const { server, repository } = await scene([{ type: 'truncated', at: 1234 }]);
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    expect(server.ranges).toEqual([undefined, 'bytes=1234-']);
  });

  it('and stays silent is given up and resumed', async () => {
    const { server, repository, events } = await scene([{ type: 'stall', at: 70_000 }], { timeoutMs: 2000 });
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    expect(server.ranges).toEqual([undefined, 'bytes=70000-']);
    expect(events).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('no bytes came any more') }),
    );
  });

  it('again and again without progress fails with NETWORK', async () => {
    const { server, repository } = await scene(Array<Fault>(9).fill({ type: 'short', at: 10 }));
    const reading = buffer(await repository.fetch(server.descriptor));
    await expect(reading).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(`ended after 40 of ${SIZE} bytes`),
      hint: expect.stringContaining('goes on from where it stopped'),
    });
    expect(server.ranges).toHaveLength(4);
  });

  it('any number of times is fine while each attempt gets on', async () => {
    const large = randomBytes(7 << 20);
    const { server, repository } = await scene(
      Array<Fault>(5).fill({ type: 'short', at: 1 << 20 }),
      {},
      large,
    );
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    expect(server.ranges).toHaveLength(6);
  });
});

describe('a fetch from an offset', () => {
  it('begins exactly there', async () => {
    const { server, repository } = await scene([]);
    const rest = await buffer(await repository.fetch(server.descriptor, { offset: 12_345 }));
    expect(rest.equals(content.subarray(12_345))).toBe(true);
    expect(server.ranges).toEqual(['bytes=12345-']);
  });

  it.each<[string, Fault]>([
    ['a server that knows no ranges', { type: 'ignore-range' }],
    ['a 206 of another range', { type: 'wrong-range', contentRange: `bytes 0-${SIZE - 1}/${SIZE}` }],
    ['a 206 of another size', { type: 'wrong-range', contentRange: `bytes 12345-${SIZE}/${SIZE + 1}` }],
    ['a 206 that does not say which range', { type: 'wrong-range', contentRange: undefined }],
    ['a 206 with an unreadable range', { type: 'wrong-range', contentRange: 'bytes 12345-' }],
    ['a 416 for a range there is', { type: 'status', status: 416 }],
  ])('begins exactly there with %s', async (_name, fault) => {
    const { server, repository } = await scene([fault]);
    const rest = await buffer(await repository.fetch(server.descriptor, { offset: 12_345 }));
    expect(rest.equals(content.subarray(12_345))).toBe(true);
  });

  it('fails with SIZE_MISMATCH when the registry has no bytes there', async () => {
    const { server, repository } = await scene([{ type: 'status', status: 416 }]);
    const descriptor = { ...server.descriptor, size: SIZE + 500 };
    await expect(repository.fetch(descriptor, { offset: SIZE + 10 })).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
      message: expect.stringContaining(`only ${SIZE} of ${SIZE + 500} bytes`),
    });
  });

  it('at the end asks nothing', async () => {
    const { server, repository } = await scene([]);
    expect(await buffer(await repository.fetch(server.descriptor, { offset: SIZE }))).toHaveLength(0);
    expect(server.ranges).toEqual([]);
  });

  it('goes on from the right place when a server that knows no ranges breaks off', async () => {
    const { server, repository } = await scene([{ type: 'reset', at: 5000 }, { type: 'ignore-range' }]);
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
  });
});

describe('a body with too many bytes', () => {
  it('is cut off one byte after the size its descriptor promises', async () => {
    const { server, repository } = await scene([{ type: 'endless' }]);
    const bytes = await buffer(await repository.fetch(server.descriptor));
    expect(bytes).toHaveLength(SIZE + 1);
    expect(bytes.subarray(0, SIZE).equals(content)).toBe(true);
  });

  it('is refused by the verifier', async () => {
    const { server, repository } = await scene([{ type: 'endless' }]);
    const stream = await repository.fetch(server.descriptor);
    await expect(readVerified(stream, server.descriptor)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });
});

describe('an error in place of the blob', () => {
  it('is retried after the time the server asks for', async () => {
    const { server, repository, events } = await scene([
      { type: 'status', status: 503, headers: { 'retry-after': '0' } },
      { type: 'status', status: 429, headers: { 'retry-after': '3600' } },
    ]);
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
    const delays = events.map((event) => event.type === 'retrying' && event.delayMs);
    // An hour is capped (at 20 ms here).
    expect(delays).toEqual([0, 20]);
    expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining('limits the rate') });
  });

  it('is thrown in its own words when it stays', async () => {
    const body = '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}';
    const { server, repository } = await scene(
      Array<Fault>(4).fill({ type: 'status', status: 429, headers: {}, body }),
    );
    await expect(repository.fetch(server.descriptor)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      message: expect.stringContaining('You have reached your pull rate limit'),
      hint: expect.stringContaining('ocitool login'),
    });
    expect(server.ranges).toHaveLength(4);
  });

  it.each([
    [404, 'BLOB_NOT_FOUND'],
    [403, 'DENIED'],
    [401, 'UNAUTHORIZED'],
    [400, 'REGISTRY_ERROR'],
  ])('%i is not retried: %s', async (status, code) => {
    const { server, repository } = await scene([{ type: 'status', status }]);
    await expect(repository.fetch(server.descriptor)).rejects.toMatchObject({ code });
    expect(server.ranges).toHaveLength(1);
  });
});

describe('an abort', () => {
  it('ends a body in the middle with the signal’s reason', async () => {
    const { server, repository } = await scene([{ type: 'stall', at: 70_000 }]);
    const controller = new AbortController();
    const stream = await repository.fetch(server.descriptor, { signal: controller.signal });
    const chunks = stream.iterator();
    expect((await chunks.next()).done).toBe(false);
    controller.abort();
    await expect(chunks.next()).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('cuts the wait before a retry short', async () => {
    const controller = new AbortController();
    const { server, repository } = await scene(
      [{ type: 'status', status: 503, headers: { 'retry-after': '3000' } }],
      {
        retry: { retryAfterCapMs: 3_000_000 },
        onProgress: (event) => {
          if (event.type === 'retrying') controller.abort();
        },
      },
    );
    const fetching = repository.fetch(server.descriptor, { signal: controller.signal });
    await expect(fetching).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('before the stream has a reader is heard by the reader', async () => {
    const { server, repository } = await scene([{ type: 'stall', at: 70_000 }]);
    const controller = new AbortController();
    const stream = await repository.fetch(server.descriptor, { signal: controller.signal });
    controller.abort();
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('of the reader, who destroys the stream, ends the request', async () => {
    const { server, repository } = await scene([{ type: 'endless' }], { connectionsPerHost: 1 });
    const stream = await repository.fetch(server.descriptor);
    stream.destroy();
    // The only connection is free again.
    await readVerified(await repository.fetch(server.descriptor), server.descriptor);
  });
});
