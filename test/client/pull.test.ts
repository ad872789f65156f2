// Pulling an image of one platform, which leaves no choice: whom it is for is told when it is not for us.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { EMPTY } from '../../src/manifest/artifact.ts';
import type { Descriptor, Platform } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { addBlob, addImage, memoryPlace } from '../support/image-builder.ts';
import { type PlaceServer, servePlace } from '../support/place-server.ts';

const place = memoryPlace();
let dir: string;
let server: PlaceServer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-pull-'));
  server = await servePlace(place);
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function warningsOf(root: Descriptor, wanted: string): Promise<string[]> {
  const warnings: string[] = [];
  const client = createClient({
    store: join(dir, root.digest.slice(7)),
    platform: wanted,
    onProgress: (event) => void (event.type === 'warning' && warnings.push(event.message)),
  });
  server.tags.set('1', root);
  try {
    const [pulled] = await pull(client, `${server.address}/app:1`);
    expect(pulled?.root.digest).toBe(root.digest);
  } finally {
    await client.close();
  }
  return warnings;
}

const linux = (architecture: string): Platform => ({ os: 'linux', architecture });
const manifestOf = (config: Descriptor): Descriptor =>
  addBlob(place, OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] });

test('for another machine: pulled, with a warning that names both', async () => {
  const root = addImage(place, { platform: linux('s390x') });
  expect(await warningsOf(root, 'linux/amd64')).toEqual([
    expect.stringMatching(/app:1 is for linux\/s390x, not for linux\/amd64/),
  ]);
});

test.each([
  ['the machine asked for', 's390x', 'linux/s390x'],
  ['one whose programs run there', '386', 'linux/amd64'],
])('for %s: no warning', async (_, architecture, wanted) => {
  const root = addImage(place, { platform: linux(architecture) });
  expect(await warningsOf(root, wanted)).toEqual([]);
});

test('what names no machine, or has another config than an image: no warning', async () => {
  addBlob(place, EMPTY.mediaType, '{}');
  for (const config of [EMPTY, addBlob(place, OCI_CONFIG, {}), addBlob(place, OCI_CONFIG, 'not JSON')]) {
    expect(await warningsOf(manifestOf(config), 'linux/amd64')).toEqual([]);
  }
});
