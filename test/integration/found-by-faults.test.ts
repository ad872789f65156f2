// What the random faults (faults.test.ts) found, each with the seed that found it: a registry that recovers is enough.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { type PulledImage, pull } from '../../src/client/pull.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import {
  type Asked,
  type Fault,
  type FaultProxy,
  memoryRegistry,
  startFaultProxy,
} from '../support/fault-proxy.ts';
import { seededImages } from '../support/fault-run.ts';

const image = seededImages()[2]!;
const layer = image.layers[1]!;
const config = [...image.blobs.keys()].find(
  (digest) => !image.layers.includes(digest) && digest !== image.root.digest,
)!;

let dir: string;
let proxy: FaultProxy | undefined;
let events: ProgressEvent[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-found-'));
  events = [];
});
afterEach(async () => {
  await proxy?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A pull while the first answers of what `isHit` names go wrong. */
async function pullWith(isHit: (asked: Asked) => boolean, faults: Fault[]): Promise<PulledImage> {
  const plan = [...faults];
  proxy = await startFaultProxy(memoryRegistry(image), (asked) =>
    isHit(asked) ? (plan.shift() ?? { type: 'none' }) : { type: 'none' },
  );
  const client = createClient({
    store: dir,
    onProgress: (event) => events.push(event),
    transport: { plainHttp: true, retry: { retries: 3, baseMs: 1, capMs: 1 } },
  });
  try {
    const [pulled] = await pull(client, `${proxy.address}/app:1`);
    const { ok } = await (await client.store()).check();
    expect(ok).toBe(true);
    return pulled!;
  } finally {
    await client.close();
  }
}

const isTag = ({ method, path }: Asked): boolean => method === 'GET' && path.endsWith('/manifests/1');
const isLayer = ({ path }: Asked): boolean => path.endsWith(layer);
const storageRefuses: Fault = { type: 'redirect', storage: { type: 'status', status: 403 } };

test.each<[string, number, (asked: Asked) => boolean, Fault]>([
  ['a layer changed on its way', 4, isLayer, { type: 'corrupt', at: 4711 }],
  [
    'a layer changed by the storage behind a redirect',
    5,
    isLayer,
    { type: 'redirect', storage: { type: 'corrupt', at: 1 } },
  ],
  ['a config changed on its way', 28, ({ path }) => path.endsWith(config), { type: 'corrupt', at: 9 }],
  ['a manifest changed on its way', 13, isTag, { type: 'corrupt', at: 12 }],
  ['a manifest cut off', 25, isTag, { type: 'cut', at: 6 }],
  ['a manifest whose connection is reset', 35, isTag, { type: 'reset', at: 1 }],
  ['a manifest the storage refuses', 11, isTag, storageRefuses],
  ['a layer the storage refuses', 69, isLayer, storageRefuses],
  ['a part of a layer that nobody asked for', 2, isLayer, { type: 'wrong-range', contentRange: 'bytes 5-' }],
])('%s is asked for again (seed %i)', async (_what, _seed, isHit, fault) => {
  const { root } = await pullWith(isHit, [fault]);
  expect(root.digest).toBe(image.root.digest);
  expect(proxy!.requests.filter(isHit)).toHaveLength(2);
});

test.each<[string, (asked: Asked) => boolean]>([
  ['a manifest', isTag],
  ['a layer', isLayer],
])('%s that is changed twice is what it is: DIGEST_MISMATCH', async (_what, isHit) => {
  const corrupt: Fault = { type: 'corrupt', at: 3 };
  await expect(pullWith(isHit, [corrupt, corrupt, corrupt])).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
  expect(proxy!.requests.filter(isHit)).toHaveLength(2);
});

test('a storage that goes on refusing is named, and nobody is told to log in', async () => {
  const refused = pullWith(isLayer, Array<Fault>(9).fill(storageRefuses));
  await expect(refused).rejects.toMatchObject({
    code: 'REGISTRY_ERROR',
    message: expect.stringMatching(/: 127\.0\.0\.1:\d+, where 127\.0\.0\.1:\d+ has it, answered 403$/),
  });
  expect(proxy!.requests.filter(isLayer)).toHaveLength(4);
});

test('a storage that is broken is asked as often as a registry that is (seed 10350)', async () => {
  const broken: Fault = { type: 'redirect', storage: { type: 'status', status: 500 } };
  await expect(pullWith(isLayer, Array<Fault>(9).fill(broken))).rejects.toMatchObject({
    code: 'REGISTRY_ERROR',
  });
  expect(proxy!.requests.filter(isLayer)).toHaveLength(4);
});
