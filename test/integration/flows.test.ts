// Large blobs through several connections, over a real line and from a registry that fails: the same bytes, whatever comes.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { randomFrom } from '../support/fault-plan.ts';
import { type Fault, type FaultProxy, memoryRegistry, startFaultProxy } from '../support/fault-proxy.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';

const SIZE = 64 << 20;
const layer = Buffer.alloc(SIZE);
for (let at = 0; at < SIZE; at += 512) layer.writeUInt32LE(at, at);
const place = memoryPlace();
const root = addImage(place, { layers: [layer] });
const [digest] = [...place.blobs].find(([, bytes]) => bytes === layer) as [Digest, Buffer];
const upstream = memoryRegistry({
  blobs: place.blobs,
  tags: new Map([['1', root.digest]]),
  mediaTypes: new Map([[root.digest, OCI_MANIFEST]]),
});

let dir: string;
let registry: FaultProxy;
let line: SlowProxy;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-flows-'));
});
afterEach(async () => {
  await line.close();
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Pulls over a line that gives each connection a little, while `fault` says what goes wrong with each request for the layer. */
async function pullOverLine(fault: (number: number, range: string | undefined) => Fault): Promise<string[]> {
  let number = 0;
  registry = await startFaultProxy(upstream, ({ path, headers }) =>
    path.endsWith(digest) ? fault(number++, headers.range) : { type: 'none' },
  );
  line = await startSlowProxy(registry.address, { perConnection: 16e6, roundTrip: 5 });
  const client = createClient({
    store: dir,
    transport: { plainHttp: true, retry: { baseMs: 1, capMs: 5, retryAfterCapMs: 5 } },
    platform: 'linux/amd64',
  });
  try {
    await pull(client, `${line.address}/app:1`);
    const store = await client.store();
    const { path } = await store.locate({ mediaType: '', digest, size: SIZE });
    expect(readFileSync(path).equals(layer)).toBe(true);
  } finally {
    await client.close();
  }
  return registry.requests
    .filter(({ path }) => path.endsWith(digest))
    .map(({ headers }) => headers.range ?? 'everything');
}

test('parts are asked for while the rest of the blob comes', async () => {
  const asked = await pullOverLine(() => ({ type: 'none' }));
  expect(asked[0]).toBe('everything');
  expect(asked.length).toBeGreaterThan(1);
});

test('a registry that knows no ranges is asked for a part once, and nothing is read twice', async () => {
  const asked = await pullOverLine(() => ({ type: 'ignore-range' }));
  expect(asked.filter((range) => range === 'everything')).toHaveLength(1);
  expect(asked.length).toBeLessThanOrEqual(2);
});

test('a registry that answers parts with 416 gives the blob as a whole', async () => {
  const asked = await pullOverLine((_, range) =>
    range === undefined ? { type: 'none' } : { type: 'status', status: 416 },
  );
  expect(asked.filter((range) => range === 'everything')).toHaveLength(1);
  expect(asked.length).toBeGreaterThan(1);
});

test.each([1, 4])('connections that break, limits and wrong parts do no harm (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  await pullOverLine((number): Fault => {
    if (number === 0 || random() < 0.5) return { type: 'none' };
    const at = Math.floor(random() * 6e6);
    const faults: Fault[] = [
      { type: 'reset', at },
      { type: 'cut', at },
      { type: 'status', status: 503 },
      { type: 'status', status: 429, headers: { 'retry-after': '0' } },
      { type: 'wrong-range', contentRange: 'bytes 0-9/10' },
    ];
    return faults[Math.floor(random() * faults.length)] as Fault;
  });
});
