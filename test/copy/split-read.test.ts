// A blob read through several connections, each of which gives bytes when the test says so: what reaches the store in
// which order, and what becomes of it when one of them fails.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storePaths } from '../../src/blobstore/paths.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { watchArrivals } from '../../src/copy/arrivals.ts';
import type { FlowGroup, Reading } from '../../src/copy/flow-group.ts';
import { readSplit, takesParts, WORTH_SPLITTING } from '../../src/copy/split-read.ts';
import { OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { isArriving } from '../../src/place/arrival.ts';
import type { FetchOptions, ImageSource, Ingest } from '../../src/place/place.ts';
import type { Digest } from '../../src/reference/digest.ts';

const MiB = 1 << 20;
const SIZE = WORTH_SPLITTING + 3 * MiB + 7;
const content = Buffer.alloc(SIZE);
for (let at = 0; at + 4 < SIZE; at += 1021) content.writeUInt32LE(at, at);
const descriptor: Descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest,
  size: SIZE,
};

/** One request, answered by hand. */
interface Request extends Pick<FetchOptions, 'end' | 'onSetback'> {
  offset: number;
  /** Gives the next bytes; those up to the request's end, or the blob's, unless told how many. */
  give(bytes?: number): Promise<void>;
  stream: Readable;
}

let dir: string;
let store: BlobStore;
let requests: Request[];
let reading: Reading;
let group: FlowGroup;
let setbacks: (number | undefined)[];
let refusal: ((options: FetchOptions) => Error | undefined) | undefined;
let onHeld: (bytes: number) => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-split-'));
  store = await openStore(dir);
  requests = [];
  setbacks = [];
  refusal = undefined;
  onHeld = () => {};
  group = {
    partBytes: 4 * MiB,
    received() {},
    running() {},
    reconnected() {},
    setback: (status) => void setbacks.push(status),
    enter: (entered) => {
      reading = entered;
    },
    leave() {},
  };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const source: ImageSource = {
  resolve: () => Promise.reject(new Error('not asked for')),
  async fetch(_descriptor, options: FetchOptions = {}) {
    const refused = refusal?.(options);
    if (refused !== undefined) throw refused;
    const { offset = 0, end, signal, onSetback } = options;
    const stream = new Readable({ read() {} });
    signal?.addEventListener('abort', () => stream.destroy(signal.reason as Error), { once: true });
    const last = end ?? SIZE;
    let at = offset;
    requests.push({
      offset,
      end,
      onSetback,
      stream,
      async give(bytes = last - at) {
        const to = Math.min(last, at + bytes);
        for (; at < to && !stream.destroyed; at = Math.min(to, at + 256 * 1024)) {
          stream.push(content.subarray(at, Math.min(to, at + 256 * 1024)));
        }
        if (at === last) stream.push(null);
        await expect.poll(() => stream.readableLength === 0 || stream.destroyed).toBe(true);
        await new Promise(setImmediate);
      },
    });
    return stream;
  },
};

async function open(): Promise<Ingest & Required<Pick<Ingest, 'ahead' | 'join'>>> {
  const ingest = await store.ingest(descriptor);
  if (ingest === undefined || !takesParts(ingest)) throw new Error('an ingest that takes parts was expected');
  return ingest;
}

function start(ingest: Awaited<ReturnType<typeof open>>, signal?: AbortSignal): Promise<void> {
  const done = readSplit(source, ingest, descriptor, { group, signal, onHeld: (bytes) => onHeld(bytes) });
  done.catch(() => {});
  return done;
}

/** The request of this number, when it has come. */
async function request(number: number): Promise<Request> {
  await expect.poll(() => requests.length).toBeGreaterThan(number);
  return requests[number]!;
}

/** Answers everything that is asked for until it is over. */
async function giveAll(done: Promise<void>): Promise<void> {
  let over = false;
  done.then(
    () => (over = true),
    () => (over = true),
  );
  for (let number = 0; !over; number = (number + 1) % requests.length) {
    await requests[number]!.give();
  }
  await done;
}

function partial(): string {
  const { ingest } = storePaths(dir);
  return join(ingest, readdirSync(ingest).find((name) => !name.endsWith('.lock'))!);
}

test('is one request for everything, without a range, as long as nobody wants more', async () => {
  const ingest = await open();
  const done = start(ingest);
  await giveAll(done);
  await ingest.commit();
  expect(requests.map(({ offset, end }) => [offset, end])).toEqual([[0, undefined]]);
  expect(await store.has(descriptor)).toBe(true);
});

test('goes on in parts, in order, through as many connections as it is given', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  expect(await reading.grow()).toBe(true);
  // The part but one after what the first request has given.
  expect(requests[1]).toMatchObject({ offset: 5 * MiB, end: 9 * MiB });
  expect(await reading.grow()).toBe(true);
  expect(await request(2)).toMatchObject({ offset: 9 * MiB, end: 13 * MiB });
  expect(reading.flows).toBe(3);
  await requests[2]!.give();
  await requests[1]!.give();
  expect(await request(4)).toMatchObject({ offset: 17 * MiB, end: 21 * MiB });
  // The first request is cut off where the second began, and its flow takes the next part.
  await requests[0]!.give(6 * MiB);
  await expect.poll(() => requests[0]!.stream.destroyed).toBe(true);
  expect(await request(5)).toMatchObject({ offset: 21 * MiB, end: 25 * MiB });
  await giveAll(done);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
  const { steps } = await store.check();
  expect(steps.filter(({ ok }) => !ok)).toEqual([]);
});

test('the last flow takes all the rest when it is to be alone again', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  reading.shrink();
  await requests[1]!.give();
  await expect.poll(() => reading.flows).toBe(1);
  await requests[0]!.give();
  expect(await request(2)).toMatchObject({ offset: 9 * MiB, end: undefined });
  await giveAll(done);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

test('a source that gives no parts goes on through the one connection it has', async () => {
  const ingest = await open();
  const done = start(ingest);
  refusal = ({ end }) => (end === undefined ? undefined : new OciError('UNSUPPORTED', 'no parts'));
  await (await request(0)).give(MiB);
  expect(await reading.grow()).toBe(false);
  expect(await reading.grow()).toBe(false);
  expect(requests[0]!.stream.destroyed).toBe(false);
  await giveAll(done);
  await ingest.commit();
  expect(requests).toHaveLength(1);
});

test('what a broken connection was at is read by another one', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  await requests[1]!.give(MiB);
  requests[1]!.stream.destroy(new OciError('NETWORK', 'reset'));
  await expect.poll(() => reading.flows).toBe(1);
  await requests[0]!.give(6 * MiB);
  expect(await request(2)).toMatchObject({ offset: 6 * MiB, end: 9 * MiB });
  await giveAll(done);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

test('a connection that would be tried again is given up while there are others, and waited for when it is the last', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  requests[1]!.onSetback!(429);
  await expect.poll(() => reading.flows).toBe(1);
  requests[0]!.onSetback!(undefined);
  expect(requests[0]!.stream.destroyed).toBe(false);
  expect(setbacks).toEqual([429, undefined]);
  await giveAll(done);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

test('connections that give up at once, each counting on the others, do not end it', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  for (const { onSetback } of requests) onSetback!(undefined);
  expect(await request(2)).toMatchObject({ offset: MiB, end: 5 * MiB });
  await giveAll(done);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

test('fails when the last connection does, and keeps what came without a gap', async () => {
  const ingest = await open();
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  await requests[1]!.give(3 * MiB);
  requests[0]!.stream.destroy(new OciError('NETWORK', 'reset'));
  await expect.poll(() => reading.flows).toBe(1);
  requests[1]!.stream.destroy(new OciError('TIMEOUT', 'silent'));
  await expect(done).rejects.toMatchObject({ code: 'TIMEOUT' });
  await ingest.suspend();
  expect(statSync(partial()).size).toBe(MiB);
  const again = await open();
  expect(again.offset).toBe(MiB);
  await again.abort();
});

test('the signal ends every connection', async () => {
  const controller = new AbortController();
  const ingest = await open();
  const done = start(ingest, controller.signal);
  await (await request(0)).give(MiB);
  await reading.grow();
  controller.abort();
  await expect(done).rejects.toMatchObject({ code: 'ABORTED' });
  await expect.poll(() => requests.every(({ stream }) => stream.destroyed)).toBe(true);
  await ingest.suspend();
});

test('a full disk ends every connection with its own error', async () => {
  const ingest = await open();
  const full = new OciError('DISK_FULL', 'no space left');
  const done = start({
    ...ingest,
    ahead() {
      throw full;
    },
  });
  await (await request(0)).give(MiB);
  await reading.grow();
  await requests[1]!.give(MiB);
  await expect(done).rejects.toBe(full);
  await expect.poll(() => requests.every(({ stream }) => stream.destroyed)).toBe(true);
  await ingest.suspend();
});

test('readers hear only of bytes without a gap', async () => {
  const arrivals = watchArrivals(store, [descriptor]);
  const ingest = await arrivals.target.ingest(descriptor);
  if (ingest === undefined || !takesParts(ingest)) throw new Error('an ingest that takes parts was expected');
  const bytes = await arrivals.of(descriptor).readable();
  if (!isArriving(bytes)) throw new Error('a file being filled was expected');
  const told = (): number => Number(new BigInt64Array(bytes.held)[0]);
  const done = start(ingest);
  await (await request(0)).give(MiB);
  await reading.grow();
  await requests[1]!.give();
  expect(told()).toBe(MiB);
  await requests[0]!.give(4 * MiB);
  await expect.poll(() => told()).toBe(9 * MiB);
  await giveAll(done);
  await ingest.commit();
  arrivals.close();
});
