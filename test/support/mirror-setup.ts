// A registry, a mirror of it and a client that is told of both, for the tests of mirrors.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { addImage, type MemoryPlace, memoryPlace } from './image-builder.ts';
import { type PlaceServer, servePlace } from './place-server.ts';

export const closers: (() => Promise<void> | void)[] = [];
export let home: string;
export let place: MemoryPlace;
export let image: Descriptor;
/** Larger than what is verified before it is handed out. */
export let layer: Buffer;
export let origin: PlaceServer;
export let mirror: PlaceServer;
export let events: ProgressEvent[];

/** Call once a test file: a registry, a mirror of it and a home are its own in each test. */
export function setUpMirrors(): void {
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'mirrors-'));
    closers.push(() => rmSync(home, { recursive: true, force: true }));
    place = memoryPlace();
    layer = randomBytes(5 << 20);
    image = addImage(place, { layers: [layer, randomBytes(300)] });
    origin = await open(place);
    mirror = await open(place);
    events = [];
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
}

/** What the tag 1 stands for everywhere. */
export function setImage(next: Descriptor): void {
  image = next;
  for (const server of [mirror, origin]) server.tags.set('1', next);
}

export async function open(from: MemoryPlace): Promise<PlaceServer> {
  const server = await servePlace(from);
  server.tags.set('1', image);
  closers.push(() => server.close());
  return server;
}

export function write(name: string, text: string): string {
  const path = join(home, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

export function clientOf(conf: string, options: ClientOptions = {}): Client {
  const client = createClient({
    store: join(home, `store-${closers.length}`),
    platform: 'linux/amd64',
    authFile: write('auth.json', '{}'),
    registries: { file: write('registries.conf', conf), hostsFolders: [join(home, 'certs.d')] },
    transport: { retry: { retries: 1, baseMs: 1, capMs: 1 } },
    onProgress: (event) => events.push(event),
    ...options,
  });
  closers.push(() => client.close());
  return client;
}

/** Mirrors of the origin, in order. */
export function mirrored(mirrors: readonly string[], settings = ''): string {
  const tables = mirrors.map((location) => `[[registry.mirror]]\nlocation = "${location}"\n${settings}\n`);
  return `[[registry]]\nlocation = "${origin.address}"\n${tables.join('')}`;
}

export const name = (): string => `${origin.address}/team/app:1`;
export const warnings = (): string[] =>
  events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
export const blobs = (server: PlaceServer): string[] =>
  server.asked().filter((line) => line.includes('/blobs/'));
