// Docker-archives of every age and oddity.
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import { openArchive } from '../../src/archive/open.ts';
import type { ImageManifest } from '../../src/manifest/document.ts';
import { readDocument } from '../../src/place/read-document.ts';
import { readVerified } from '../../src/place/verify.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { dockerEntries, writeTar } from './make-tar.ts';

const one = Buffer.alloc(10_240, 1);
const two = Buffer.alloc(2048, 2);
const [idOne, idTwo] = [digestOf(one), digestOf(two)];

async function manifestOf(archive: Archive): Promise<ImageManifest> {
  const document = await readDocument(archive, await archive.resolveName());
  if (document.kind !== 'manifest') throw new Error('not a manifest');
  return document.manifest;
}

it('makes up a manifest whose layers are the tars as they lie in the archive', async () => {
  const entries = dockerEntries([
    { tags: ['alpine:3.20'], diffIds: [idOne, idTwo], paths: ['a/layer.tar', 'b/layer.tar'] },
  ]);
  const file = writeTar([
    { path: 'a/VERSION', content: '1.0' },
    { path: 'a/layer.tar', content: one },
    ...entries,
    { path: 'b/layer.tar', content: two },
  ]);
  const archive = await openArchive(file);
  const manifest = await manifestOf(archive);
  const type = 'application/vnd.docker.image.rootfs.diff.tar';
  expect(manifest.layers).toEqual([
    { mediaType: type, digest: idOne, size: 10_240 },
    { mediaType: type, digest: idTwo, size: 2048 },
  ]);
  expect(await archive.locate(manifest.layers[0]!)).toMatchObject({ path: file, size: 10_240 });
  for (const layer of [...manifest.layers, manifest.config])
    await readVerified(await archive.fetch(layer), layer);
  const rest = await readVerified(await archive.fetch(manifest.layers[1]!, { offset: 2000 }), {
    ...manifest.layers[1]!,
    digest: digestOf(two.subarray(2000)),
    size: 48,
  });
  expect(rest).toHaveLength(48);
  expect(await archive.resolve(parseReference('alpine:3.20'))).toEqual(await archive.resolveName());
});

it('gives the same digest every time it is opened', async () => {
  const entries = [
    ...dockerEntries([{ diffIds: [idOne], paths: ['l.tar'] }]),
    { path: 'l.tar', content: one },
  ];
  const digests = [writeTar(entries), writeTar(entries)].map(async (file) =>
    (await openArchive(file)).resolveName(),
  );
  const [first, second] = await Promise.all(digests);
  expect(first).toEqual(second);
});

it('has no location for a manifest it made up', async () => {
  const file = writeTar([
    ...dockerEntries([{ diffIds: [idOne], paths: ['l.tar'] }]),
    { path: 'l.tar', content: one },
  ]);
  const archive = await openArchive(file);
  await expect(archive.locate(await archive.resolveName())).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
});

it('reads an image without a name', async () => {
  const file = writeTar([
    ...dockerEntries([{ tags: null, diffIds: [idOne], paths: ['l.tar'] }]),
    { path: 'l.tar', content: one },
  ]);
  const archive = await openArchive(file);
  expect(await archive.list()).toEqual([{ name: undefined, descriptor: await archive.resolveName() }]);
});

it('reads an image without layers', async () => {
  const archive = await openArchive(writeTar(dockerEntries([{ diffIds: [], paths: null }])));
  expect((await manifestOf(archive)).layers).toEqual([]);
});

it.each([
  ['a symlink', { symlink: '../a/layer.tar' }],
  ['a hard link', { hardlink: 'a/layer.tar' }],
  ['an absolute symlink', { symlink: '/a/layer.tar' }],
])('follows %s to a repeated layer', async (_, link) => {
  const entries = dockerEntries([{ diffIds: [idOne, idOne], paths: ['a/layer.tar', 'b/layer.tar'] }]);
  const file = writeTar([
    { path: 'b/layer.tar', ...link },
    { path: './a//layer.tar', content: one },
    ...entries,
  ]);
  const { layers } = await manifestOf(await openArchive(file));
  expect(layers.map(({ digest, size }) => [digest, size])).toEqual([
    [idOne, 10_240],
    [idOne, 10_240],
  ]);
});

it('reads a layer whose path needs a PAX header', async () => {
  const path = `${'d'.repeat(120)}/${'e'.repeat(120)}/layer.tar`;
  const file = writeTar([{ path, content: one }, ...dockerEntries([{ diffIds: [idOne], paths: [path] }])]);
  expect((await manifestOf(await openArchive(file))).layers).toMatchObject([{ digest: idOne }]);
});

it.each([
  ['gzip', gzipSync(one), 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
  ['zstd', zstdCompressSync(one), 'application/vnd.docker.image.rootfs.diff.tar.zstd'],
])('takes a layer compressed with %s by the digest of its own bytes', async (_, bytes, mediaType) => {
  const file = writeTar([
    ...dockerEntries([{ diffIds: [idOne], paths: ['l.tar'] }]),
    { path: 'l.tar', content: bytes },
  ]);
  const { layers } = await manifestOf(await openArchive(file));
  expect(layers).toEqual([{ mediaType, digest: digestOf(bytes), size: bytes.length }]);
});

it('finds a repeated layer that has no name of its own (podman#8132)', async () => {
  const entries = dockerEntries([{ diffIds: [idOne, idOne], paths: ['l.tar', ''] }]);
  const { layers } = await manifestOf(
    await openArchive(writeTar([...entries, { path: 'l.tar', content: one }])),
  );
  expect(layers[1]).toEqual(layers[0]);
});

it('refuses an archive that leaves a layer out (podman#8132)', async () => {
  const entries = dockerEntries([{ diffIds: [idTwo, idOne], paths: ['', 'l.tar'] }]);
  const file = writeTar([...entries, { path: 'l.tar', content: one }]);
  await expect(openArchive(file)).rejects.toMatchObject({
    code: 'ARCHIVE_INVALID',
    message: expect.stringContaining(`${idTwo} was left out`),
  });
});

it.each([
  ['a layer is missing', dockerEntries([{ diffIds: [idOne], paths: ['gone.tar'] }])],
  ['there are more layers than diff IDs', dockerEntries([{ diffIds: [], paths: ['l.tar'] }])],
  ['the config is missing', dockerEntries([{ diffIds: [], paths: [] }]).slice(1)],
  ['manifest.json is an object', [{ path: 'manifest.json', content: '{}' }]],
  ['manifest.json is empty', [{ path: 'manifest.json', content: '' }]],
  ['an item has no config', [{ path: 'manifest.json', content: '[{"Layers":[]}]' }]],
  ['a layer is a number', [{ path: 'manifest.json', content: '[{"Config":"c","Layers":[1]}]' }]],
  [
    'the config leads out of the archive',
    [{ path: 'manifest.json', content: '[{"Config":"../../etc/passwd","Layers":[]}]' }],
  ],
])('refuses an archive when %s', async (_, entries) => {
  await expect(openArchive(writeTar(entries))).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
});

it('chooses among several images by name, and lists them when none is named', async () => {
  const items = [
    { tags: ['alpine:3.20', 'alpine:3'], diffIds: [idOne], paths: ['l.tar'] },
    { tags: ['busybox'], diffIds: [idOne], paths: ['l.tar'] },
  ];
  const archive = await openArchive(writeTar([...dockerEntries(items), { path: 'l.tar', content: one }]));
  expect((await archive.list()).map(({ name }) => name)).toEqual(['alpine:3.20', 'alpine:3', 'busybox']);
  const alpine = await archive.resolveName({ tag: 'docker.io/library/alpine:3' });
  expect(await archive.resolveName({ tag: '3.20' })).toEqual(alpine);
  expect(await archive.resolveName({ digest: alpine.digest })).toEqual(alpine);
  expect(await archive.resolveName({ tag: 'busybox:latest' })).not.toEqual(alpine);
  await expect(archive.resolveName()).rejects.toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('alpine:3.20, busybox'),
  });
  await expect(archive.resolveName({ tag: 'debian' })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  await expect(archive.resolve(parseReference('debian'))).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});
