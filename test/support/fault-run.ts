// One pull through a registry that fails as a seed has it, and everything that must hold afterwards.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { acquireFreeLock } from '../../src/blobstore/lock.ts';
import { storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { type ErrorCode, isOciError, OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { ImageSource } from '../../src/place/place.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { toFailure } from '../../src/ui/failure.ts';
import { type FaultPlan, faultPlan, pick, type Random, randomFrom } from './fault-plan.ts';
import {
  type Asked,
  type MemoryContent,
  memoryRegistry,
  startFaultProxy,
  type Upstream,
} from './fault-proxy.ts';
import { addImage, addIndex, memoryPlace } from './image-builder.ts';

/** Bytes of the layers of each image: nothing, little, and more than one read of a socket gives. */
const IMAGES = [[40], [300, 20_000], [0, 70_000, 300_000], [5000, 5000, 150_000, 9]];
const DEADLY_SHARE = 0.3;
const TOKEN_SHARE = 0.3;
/** Waits are short here; the timeout is far above what a busy machine needs for an answer from loopback. */
const TRANSPORT = {
  plainHttp: true,
  timeoutMs: 2000,
  retry: { retries: 5, baseMs: 1, capMs: 3, retryAfterCapMs: 4 },
};

export interface SeededImage extends MemoryContent {
  root: Descriptor;
  layers: Digest[];
}

/** The images runs choose from: single ones and indexes of two platforms. */
export function seededImages(): SeededImage[] {
  const random = randomFrom(1);
  return IMAGES.flatMap((sizes) => [false, true].map((indexed) => seededImage(random, sizes, indexed)));
}

function seededImage(random: Random, sizes: readonly number[], indexed: boolean): SeededImage {
  const layers = sizes.map((size) =>
    Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256))),
  );
  return imageOfLayers(layers, indexed);
}

/** An image of these layers for linux/amd64, alone or in an index beside another one. */
export function imageOfLayers(layers: Buffer[], indexed: boolean): SeededImage {
  const place = memoryPlace();
  const image = addImage(place, { layers, platform: { os: 'linux', architecture: 'amd64' } });
  const others = indexed ? [addImage(place, { platform: { os: 'linux', architecture: 's390x' } })] : [];
  const root = indexed ? addIndex(place, [image, ...others].map(withPlatform)) : image;
  const mediaTypes = new Map([image, ...others].map(({ digest }) => [digest, OCI_MANIFEST]));
  if (indexed) mediaTypes.set(root.digest, OCI_INDEX);
  const { layers: named } = JSON.parse(String(place.blobs.get(image.digest))) as { layers: Descriptor[] };
  return {
    blobs: place.blobs,
    tags: new Map([['1', root.digest]]),
    mediaTypes,
    root,
    layers: named.map(({ digest }) => digest),
  };
}

function withPlatform(descriptor: Descriptor, i: number): Descriptor {
  return { ...descriptor, platform: { os: 'linux', architecture: i === 0 ? 'amd64' : 's390x' } };
}

/** Gets the image by the client, and throws when it is another one. */
export type Getter = (client: Client, name: string, image: SeededImage) => Promise<void>;

const pulled: Getter = async (client, name, { root }) => {
  const [got] = await pull(client, name);
  if (got?.root.digest !== root.digest) throw new Error(`another image: ${got?.root.digest}`);
};

/** Runs a seed in `dir`, which is gone afterwards. Throws what does not hold, with the faults that were played. */
export async function runSeed(
  seed: number,
  images: readonly SeededImage[],
  dir: string,
  get: Getter = pulled,
): Promise<void> {
  const random = randomFrom(seed);
  const image = pick(random, images);
  const dead = random() < DEADLY_SHARE ? pick(random, image.layers) : undefined;
  const tokens = random() < TOKEN_SHARE;
  const plan = faultPlan(seed, { dead });
  try {
    await play(
      plan,
      image,
      { tokenUses: tokens ? 8 + Math.floor(random() * 20) : undefined, again: random() < 0.1 },
      { dir, get },
    );
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}\n${plan.played.join('\n')}`, { cause: error });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function play(
  plan: FaultPlan,
  image: SeededImage,
  { tokenUses, again }: { tokenUses: number | undefined; again: boolean },
  { dir, get }: { dir: string; get: Getter },
): Promise<void> {
  let fails = true;
  const registry = memoryRegistry(image);
  const guarded = tokenUses === undefined ? registry : wantingTokens(registry, tokenUses);
  const proxy = await startFaultProxy(guarded, (asked) => (fails ? plan.next(asked) : { type: 'none' }));
  const client = createClient({
    store: dir,
    platform: 'linux/amd64',
    credentials: async () => undefined,
    transport: TRANSPORT,
  });
  const name = `${proxy.address}/app:1`;
  try {
    const failure = await get(client, name, image).then(
      () => undefined,
      (error: Error) => error,
    );
    if (failure !== undefined && !isOciError(failure)) throw failure;
    if (failure === undefined && plan.expected !== undefined) throw new Error('a dead blob was pulled');
    if (failure !== undefined && !isExpected(failure.code, plan.expected)) {
      throw new Error(`${failure.code} was not expected (${String(plan.expected)}): ${failure.message}`);
    }
    await expectClean(dir);
    if (failure === undefined && !again) return;
    // Whatever was left behind is no obstacle, and no reason to take a wrong byte.
    fails = false;
    await get(client, name, image);
    await expectClean(dir);
  } finally {
    await client.close();
    await proxy.close();
  }
}

/** On a busy machine the last attempt may be late, which ends with the same exit code. */
function isExpected(code: ErrorCode, expected: readonly ErrorCode[] | undefined): boolean {
  const exitCode = exitCodeOf(code);
  return (
    expected?.some((one) => one === code || (code === 'TIMEOUT' && exitCodeOf(one) === exitCode)) ?? false
  );
}

function exitCodeOf(code: ErrorCode): number {
  return toFailure(new OciError(code, '')).exitCode;
}

/** Every blob is what its name says, and no partial one is held by anybody. */
async function expectClean(dir: string): Promise<void> {
  const store = await openStore(dir);
  const { ok, steps } = await store.check();
  const nothingYet = steps.every((step) => step.ok || step.problems[0]?.endsWith('no store here yet'));
  if (!ok && !nothingYet) throw new Error(JSON.stringify(steps.filter((step) => !step.ok)));
  const { ingest } = storePaths(dir);
  for (const file of nothingYet && !ok ? [] : readdirSync(ingest)) {
    if (!file.endsWith('.lock')) continue;
    const lock = acquireFreeLock(join(ingest, file));
    if (lock === undefined) throw new Error(`${file} is still held`);
    lock.release();
  }
}

/** A registry whose tokens are good for so many requests. */
function wantingTokens(upstream: Upstream, uses: number): Upstream {
  const left = new Map<string, number>();
  return (asked: Asked) => {
    const { path, headers } = asked;
    if (path.startsWith('/token')) {
      const token = `t${left.size}`;
      left.set(token, uses);
      const body = Buffer.from(JSON.stringify({ token, expires_in: 300 }));
      return { status: 200, headers: { 'content-length': body.length }, body };
    }
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    const rest = left.get(token) ?? 0;
    // Storage is asked with a signature, not with a token.
    if (rest > 0 || asked.storage === true) {
      left.set(token, rest - 1);
      return upstream(asked);
    }
    const challenge = `Bearer realm="http://${headers.host}/token",service="test",scope="repository:app:pull"`;
    return {
      status: 401,
      headers: { 'www-authenticate': challenge, 'content-length': 0 },
      body: Buffer.alloc(0),
    };
  };
}

/** The image as a place to copy it from. */
export function sourceOf({ blobs, root }: SeededImage): ImageSource {
  return {
    resolve: async () => root,
    async fetch({ digest }, { offset = 0 } = {}) {
      const blob = blobs.get(digest);
      if (blob === undefined) throw new OciError('BLOB_NOT_FOUND', digest);
      return Readable.from([blob.subarray(offset)]);
    },
  };
}
