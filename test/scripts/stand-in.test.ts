import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildStandIn, STAND_IN_NAME } from '../../scripts/stand-in.ts';

interface Descriptor {
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: { architecture: string };
}

const dir = mkdtempSync(join(tmpdir(), 'stand-in-'));
let digest: string;

beforeAll(() => {
  digest = buildStandIn(join(dir, 'a'), { small: true });
});
afterAll(() => rmSync(dir, { recursive: true }));

function blob(descriptor: { digest: string; size?: number }): Buffer {
  const bytes = readFileSync(join(dir, 'a/blobs', descriptor.digest.replace(':', '/')));
  expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(descriptor.digest);
  if (descriptor.size !== undefined) expect(bytes.length).toBe(descriptor.size);
  return bytes;
}

function json<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}

it('is the same each time', () => {
  expect(buildStandIn(join(dir, 'b'), { small: true })).toBe(digest);
});

it('is a layout with one name, for two platforms', () => {
  const index = json<{ manifests: Descriptor[] }>(readFileSync(join(dir, 'a/index.json')));
  expect(
    index.manifests.map((entry) => [entry.digest, entry.annotations?.['org.opencontainers.image.ref.name']]),
  ).toEqual([[digest, STAND_IN_NAME]]);
  const list = json<{ manifests: Descriptor[] }>(blob({ digest }));
  expect(list.manifests.map((entry) => entry.platform?.architecture)).toEqual(['amd64', 'arm64']);
});

it('has three layers with true diff IDs and the history of the real one', () => {
  const list = json<{ manifests: Descriptor[] }>(blob({ digest }));
  for (const platform of list.manifests) {
    const manifest = json<{ config: Descriptor; layers: Descriptor[] }>(blob(platform));
    const config = json<{ rootfs: { diff_ids: string[] }; history: { empty_layer?: boolean }[] }>(
      blob(manifest.config),
    );
    const tars = manifest.layers.map((layer) => gunzipSync(blob(layer)));
    expect(tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`)).toEqual(
      config.rootfs.diff_ids,
    );
    expect(config.history.map((entry) => entry.empty_layer ?? false)).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  }
});
