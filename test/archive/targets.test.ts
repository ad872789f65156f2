// What we write for other tools: archives and layouts that are whole, the same every time, and what skopeo takes.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BoxTarget } from '../../src/archive/box-target.ts';
import { createFolderTarget } from '../../src/archive/folder-target.ts';
import { openArchive, openOciLayout } from '../../src/archive/open.ts';
import { createTarTarget } from '../../src/archive/tar-target.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, addIndex, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools, skopeo, tool } from '../support/tools.ts';

let dir: string;
let place: MemoryPlace;
const name = parseReference('example.com/team/app:1');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-targets-'));
  place = memoryPlace();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function fill(box: BoxTarget): Promise<Descriptor> {
  const { root } = await createCopier(box).copy(place, name, { allPlatforms: true });
  await box.finish();
  return root;
}

const kinds: [string, (path: string) => BoxTarget][] = [
  ['oci-archive', (path) => createTarTarget(path, { docker: false })],
  ['docker-archive', (path) => createTarTarget(path, { docker: true })],
  ['oci', (path) => createFolderTarget(path)],
];

describe.each(kinds)('%s', (kind, create) => {
  const open = (path: string) => (kind === 'oci' ? openOciLayout(path) : openArchive(path));

  test('holds the image under its own digest and name, and nothing is left beside it', async () => {
    nameImage(place, name, addImage(place));
    const root = await fill(create(join(dir, 'box')));
    expect(readdirSync(dir)).toEqual(['box']);
    const box = await open(join(dir, 'box'));
    expect(await box.resolve(name)).toMatchObject({ digest: root.digest });
    expect(await box.list()).toMatchObject([{ name: 'example.com/team/app:1' }]);
    const copy = memoryPlace();
    for (const digest of place.blobs.keys()) {
      const stream = await box.fetch({ mediaType: '', digest, size: place.blobs.get(digest)!.length });
      copy.blobs.set(digest, Buffer.concat(await stream.toArray()));
    }
    expect(copy.blobs).toEqual(place.blobs);
    await box.close();
  });

  test('is the same every time', async () => {
    nameImage(
      place,
      name,
      addImage(place, { layers: [9000, 9000, 500, 70_000].map((size) => Buffer.alloc(size, size)) }),
    );
    await fill(create(join(dir, 'a')));
    // The largest begins first and arrives last.
    const smallest = Promise.withResolvers<void>();
    place.onFetch = ({ size }) =>
      size === 70_000 ? smallest.promise : size === 500 ? smallest.resolve() : undefined;
    await fill(create(join(dir, 'b')));
    if (kind === 'oci') await tool('diff', '-r', join(dir, 'a'), join(dir, 'b'));
    else expect(readFileSync(join(dir, 'a')).equals(readFileSync(join(dir, 'b')))).toBe(true);
  });

  test('given up half-way: an older one stays as it is, and nothing new is there', async () => {
    const root = addImage(place);
    nameImage(place, name, root);
    if (kind !== 'oci') writeFileSync(join(dir, 'box'), 'older');
    const broken = place.blobs.keys().next().value!;
    place.blobs.set(broken, Buffer.alloc(5000));
    const box = create(join(dir, 'box'));
    await expect(createCopier(box).copy(place, name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await box.discard();
    expect(readdirSync(dir)).toEqual(kind === 'oci' ? [] : ['box']);
    if (kind !== 'oci') expect(readFileSync(join(dir, 'box'), 'utf8')).toBe('older');
  });

  test('where one may not write: PERMISSION or IO, by name', async () => {
    const path = join(dir, 'no/such/box');
    if (kind === 'oci') writeFileSync(join(dir, 'no'), '');
    expect(() => create(path)).toThrow(
      expect.objectContaining({ code: 'IO', message: expect.stringContaining(path) }),
    );
  });
});

test('a layout into a directory that was filled meanwhile: refused, and that one stays', async () => {
  nameImage(place, name, addImage(place));
  const box = createFolderTarget(join(dir, 'box'));
  await createCopier(box).copy(place, name);
  mkdirSync(join(dir, 'box'));
  writeFileSync(join(dir, 'box/mine'), '');
  await expect(box.finish()).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
  await box.discard();
  expect(readdirSync(join(dir, 'box'))).toEqual(['mine']);
  expect(readdirSync(dir)).toEqual(['box']);
});

test('an archive replaces the file behind a link, and never a device', async () => {
  nameImage(place, name, addImage(place));
  writeFileSync(join(dir, 'real'), '');
  symlinkSync('real', join(dir, 'link'));
  await fill(createTarTarget(join(dir, 'link'), { docker: false }));
  expect(readlinkSync(join(dir, 'link'))).toBe('real');
  expect(statSync(join(dir, 'real')).size).toBeGreaterThan(5000);
  symlinkSync('/dev/null', join(dir, 'device'));
  expect(() => createTarTarget(join(dir, 'device'), { docker: false })).toThrow('not a regular file');
});

describe('docker-archive', () => {
  test('manifest.json as docker load reads it, one entry an image with all its names', async () => {
    const root = addImage(place);
    nameImage(place, name, root);
    const box = createTarTarget(join(dir, 'box'), { docker: true });
    const copier = createCopier(box);
    for (const as of ['example.com/team/app:1', 'alpine:3.20']) {
      await copier.copy(place, name, { as: parseReference(as) });
    }
    await box.finish();
    const manifest = JSON.parse(await tool('tar', '-xOf', join(dir, 'box'), 'manifest.json')) as unknown;
    const { config, layers } = JSON.parse(place.blobs.get(root.digest)!.toString()) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    const file = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;
    expect(manifest).toEqual([
      { Config: file(config), RepoTags: ['example.com/team/app:1', 'alpine:3.20'], Layers: layers.map(file) },
    ]);
  });

  test('of a whole index: refused, and nothing is there', async () => {
    nameImage(
      place,
      name,
      addIndex(place, [{ ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } }]),
    );
    const box = createTarTarget(join(dir, 'box'), { docker: true });
    await createCopier(box).copy(place, name, { allPlatforms: true });
    await expect(box.finish()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await box.discard();
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe.skipIf(!hasTools('skopeo'))('skopeo as the judge', () => {
  test.each(kinds)('%s', async (kind, create) => {
    nameImage(place, name, addImage(place, { layers: [Buffer.alloc(10_240)] }));
    await fill(create(join(dir, 'box')));
    await skopeo('copy', `${kind}:${join(dir, 'box')}`, `oci:${join(dir, 'copy')}:x`);
    const info = JSON.parse(await skopeo('inspect', '--raw', `oci:${join(dir, 'copy')}:x`)) as {
      layers: unknown[];
    };
    expect(info.layers).toHaveLength(1);
  });
});
