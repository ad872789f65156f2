// What skopeo 1.9 (Debian 12) needs to read images of Docker's types in an OCI layout.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openOciLayout } from '../../src/archive/open.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_LIST,
  DOCKER_MANIFEST,
} from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addBlob, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools, skopeo } from '../support/tools.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-twin-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function dockerImage(place: MemoryPlace) {
  const tar = Buffer.alloc(1024);
  const layer = addBlob(place, DOCKER_LAYER_GZIP, gzipSync(tar));
  const config = addBlob(place, DOCKER_CONFIG, {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: 'COPY nothing /' }],
  });
  return addBlob(place, DOCKER_MANIFEST, {
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config,
    layers: [layer],
  });
}

test.skipIf(!hasTools('skopeo')).each(['manifest', 'list'])(
  'skopeo reads a Docker %s of the store',
  async (kind) => {
    const place = memoryPlace();
    const manifest = dockerImage(place);
    const root =
      kind === 'manifest'
        ? manifest
        : addBlob(place, DOCKER_LIST, {
            schemaVersion: 2,
            mediaType: DOCKER_LIST,
            manifests: [{ ...manifest, platform: { os: 'linux', architecture: 'amd64' } }],
          });
    const name = parseReference('example.com/app:1');
    nameImage(place, name, root);
    const store = await openStore(join(dir, 'store'));
    await createCopier(store).copy(place, name);

    const copied = join(dir, 'copied');
    await skopeo('copy', `oci:${store.dir}:example.com/app:1`, `dir:${copied}`);
    expect(digestOf(readFileSync(join(copied, 'manifest.json')))).toBe(manifest.digest);

    // Nor does it get in the way of the other reader of layouts that we have.
    const layout = await openOciLayout(store.dir);
    expect(await layout.resolveName({ tag: 'example.com/app:1' })).toEqual(expect.objectContaining(root));
    expect(await layout.list()).toHaveLength(1);
    await layout.close();

    // Nothing of it shows to our own users.
    expect(await store.list()).toEqual([{ name: 'example.com/app:1', descriptor: root }]);
    expect((await store.usage()).unreferenced.count).toBe(0);
    expect((await store.check()).ok).toBe(true);
    await store.untag(name);
    expect(JSON.parse(readFileSync(join(store.dir, 'index.json'), 'utf8'))).toMatchObject({ manifests: [] });
  },
);
