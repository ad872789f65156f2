// A registry, and pull-through servers in front of it, for the tests of `serve --proxy`.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { pullThrough } from '../../src/client/pull-through.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import type { Upstream } from '../../src/serve/upstream.ts';
import { addImage, addIndex, type MemoryPlace, memoryPlace } from './image-builder.ts';
import { type PlaceServer, servePlace } from './place-server.ts';

export const closers: (() => Promise<void> | void)[] = [];
export let dir: string;
export let place: MemoryPlace;
export let layer: Buffer;
export let amd64: Descriptor;
export let index: Descriptor;
export let origin: PlaceServer;
export let events: ProgressEvent[];

/** Call once a test file: a registry with an image for two platforms is its own in each test. */
export function setUpProxy(): void {
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'proxy-'));
    closers.push(() => rmSync(dir, { recursive: true, force: true }));
    place = memoryPlace();
    layer = randomBytes(3_000_000);
    amd64 = addImage(place, { layers: [layer, randomBytes(10)] });
    const arm64 = addImage(place, { platform: { os: 'linux', architecture: 'arm64' } });
    index = addIndex(place, [
      { ...amd64, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64, platform: { os: 'linux', architecture: 'arm64' } },
    ]);
    origin = await servePlace(place);
    closers.push(() => origin.close());
    origin.tags.set('1', index);
    events = [];
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
}

export interface Proxy {
  server: StoreServer;
  upstream: Upstream;
  client: Client;
  /** `127.0.0.1:5000` */
  address: string;
}

export async function proxy(options: ClientOptions = {}, anonymous = false): Promise<Proxy> {
  const client = createClient({
    store: join(dir, 'cache'),
    authFile: join(dir, 'none.json'),
    registries: { file: '/dev/null', hostsFolders: [] },
    transport: { retry: { retries: 0 }, timeoutMs: 20_000 },
    onProgress: (event) => events.push(event),
    ...options,
  });
  closers.push(() => client.close());
  const upstream = await pullThrough(client, `http://${origin.address}/`, { anonymous });
  closers.push(() => upstream.close());
  const server = await serveStore(await client.store(), { upstream });
  closers.push(() => server.close());
  return { server, upstream, client, address: new URL(server.url).host };
}

let clients = 0;

/** One who pulls from the proxy, with a store of their own. */
export function puller(): Client {
  clients += 1;
  const client = createClient({
    store: join(dir, `client-${clients}`),
    platform: 'linux/amd64',
    authFile: join(dir, 'none.json'),
    registries: { file: '/dev/null', hostsFolders: [] },
    transport: { retry: { retries: 0 } },
    onProgress: (event) => events.push(event),
  });
  closers.push(() => client.close());
  return client;
}

export const asked = (...words: string[]): string[] =>
  origin.asked().filter((line) => words.every((word) => line.includes(word)));

/** All of an answer, or why there is none. */
export async function whole(url: string): Promise<ArrayBuffer> {
  return await (await fetch(url)).arrayBuffer();
}

export async function names(client: Client): Promise<(string | undefined)[]> {
  return (await (await client.store()).list()).map(({ name }) => name);
}

export async function isClean(client: Client): Promise<boolean> {
  return (await (await client.store()).check()).ok;
}
