// OCI layouts, as directories and in tars.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openArchive, openOciLayout } from '../../src/archive/open.ts';
import { readDocument } from '../../src/place/read-document.ts';
import { readVerified } from '../../src/place/verify.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { layoutEntries, scratch, type TarEntry, writeTar } from './make-tar.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';

function writeDirectory(entries: TarEntry[]): string {
  const dir = scratch();
  for (const { path, content } of entries) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content ?? '');
  }
  return dir;
}

describe.each([
  ['directory', (entries: TarEntry[]) => openOciLayout(writeDirectory(entries))],
  ['tar', (entries: TarEntry[]) => openArchive(writeTar(entries))],
])('a layout in a %s', (_, open) => {
  it('gives its image and every blob of it', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    const archive = await open(layoutEntries(place, [{ ...image, annotations: { [REF_NAME]: '3.20' } }]));
    const root = await archive.resolveName();
    expect(root.digest).toBe(image.digest);
    const document = await readDocument(archive, root);
    if (document.kind !== 'manifest') throw new Error('not a manifest');
    for (const blob of [document.manifest.config, ...document.manifest.layers]) {
      const bytes = await readVerified(await archive.fetch(blob), blob);
      const { path, offset, size } = await archive.locate(blob);
      expect(
        readFileSync(path)
          .subarray(offset, offset + size)
          .equals(bytes),
      ).toBe(true);
    }
    await expect(archive.fetch({ ...root, digest: digestOf('none') })).rejects.toMatchObject({
      code: 'BLOB_NOT_FOUND',
    });
    await archive.close();
  });

  it('finds a platform of its index by digest', async () => {
    const place = memoryPlace();
    const platform = addImage(place);
    const archive = await open(layoutEntries(place, [addIndex(place, [platform])]));
    expect(await archive.resolveName({ digest: platform.digest })).toEqual(platform);
    await expect(archive.resolveName({ digest: digestOf('none') })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
  });

  it('needs no oci-layout file, and takes a version it knows', async () => {
    const place = memoryPlace();
    const entries = layoutEntries(place, [addImage(place)]);
    await expect(open(entries.slice(1))).resolves.toBeDefined();
    const newer = { path: 'oci-layout', content: '{"imageLayoutVersion":"2.0.0"}' };
    await expect(open([newer, ...entries.slice(1)])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it.each([
    '',
    '[]',
    '{"schemaVersion":2,"manifests":[{"digest":"../../x"}]}',
    '{"schemaVersion":2,"layers":[]}',
  ])('refuses index.json when it is %j', async (content) => {
    await expect(open([{ path: 'index.json', content }])).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  });
});

describe('names', () => {
  const place = memoryPlace();
  const [a, b, c] = [addImage(place), addImage(place), addImage(place)];
  const named = (descriptor: object, name: string, containerd?: string): object => ({
    ...descriptor,
    annotations: {
      [REF_NAME]: name,
      ...(containerd !== undefined && { 'io.containerd.image.name': containerd }),
    },
  });
  const digestFor = async (manifests: object[], tag?: string): Promise<string> => {
    const archive = await openArchive(writeTar(layoutEntries(place, manifests)));
    return (await archive.resolveName(tag === undefined ? {} : { tag })).digest;
  };

  it('are matched as written, then as a reference, then by the tag alone', async () => {
    const manifests = [
      named(a, 'latest'),
      named(b, 'docker.io/library/alpine:3.20'),
      named(c, '3', 'quay.io/x/y:3'),
    ];
    expect(await digestFor(manifests, 'latest')).toBe(a.digest);
    expect(await digestFor(manifests, 'alpine:3.20')).toBe(b.digest);
    expect(await digestFor(manifests, '3.20')).toBe(b.digest);
    expect(await digestFor(manifests, 'quay.io/x/y:3')).toBe(c.digest);
    expect(await digestFor(manifests, '3')).toBe(c.digest);
    await expect(digestFor(manifests, '4')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('are asked for when there are several images', async () => {
    await expect(digestFor([named(a, 'one'), named(b, 'two')])).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('one, two'),
    });
    await expect(digestFor([named(a, 'x/y:1'), named(b, 'x/z:1')], '1')).rejects.toMatchObject({
      code: 'USAGE',
    });
    expect(await digestFor([named(a, 'one'), named(a, 'two')])).toBe(a.digest);
    await expect(digestFor([])).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('are found by reference, by the bare tag only where there are no full names', async () => {
    const tagged = await openArchive(writeTar(layoutEntries(place, [named(a, '3.20')])));
    expect((await tagged.resolve(parseReference('alpine:3.20'))).digest).toBe(a.digest);
    const full = await openArchive(
      writeTar(layoutEntries(place, [named(a, '3.20', 'docker.io/library/busybox:3.20')])),
    );
    await expect(full.resolve(parseReference('alpine:3.20'))).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    expect((await full.resolve(parseReference('busybox:3.20'))).digest).toBe(a.digest);
    expect((await full.resolve(parseReference(`busybox@${b.digest}`))).digest).toBe(b.digest);
  });
});

it('follows links to blobs, as build tools make them, but waits for no pipe', async () => {
  const place = memoryPlace();
  const image = addImage(place);
  const dir = writeDirectory(layoutEntries(place, [image]));
  const blob = join(dir, 'blobs', image.digest.replace(':', '/'));
  const elsewhere = join(scratch(), 'blob');
  writeFileSync(elsewhere, place.blobs.get(image.digest)!);
  rmSync(blob);
  symlinkSync(elsewhere, blob);
  const archive = await openOciLayout(dir);
  await readVerified(await archive.fetch(image), image);
  rmSync(blob);
  execFileSync('mkfifo', [blob]);
  await expect(archive.fetch(image)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
});

it('tells a missing path from one that is no archive', async () => {
  const dir = scratch();
  await expect(openOciLayout(join(dir, 'none'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  await expect(openArchive(join(dir, 'none'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  await expect(openOciLayout(dir)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  await expect(openOciLayout(writeTar([]))).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
});
