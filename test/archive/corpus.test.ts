// Every image archive of the corpus: the images, digests, sizes and diff IDs that another reader found.
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import { readDockerArchive } from '../../src/archive/docker-archive.ts';
import { tarFolder } from '../../src/archive/folder.ts';
import { openArchive } from '../../src/archive/open.ts';
import { sniff } from '../../src/archive/sniff.ts';
import { isOciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ImageManifest } from '../../src/manifest/document.ts';
import { readDocument } from '../../src/place/read-document.ts';
import { readVerified } from '../../src/place/verify.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { corpus, corpusJson } from '../support/corpora.ts';
import { hasTools } from '../support/tools.ts';

interface ExpectedLayer {
  digest?: Digest;
  size: number;
  diffID: Digest;
  uncompressedSize: number;
}
interface OciImage {
  digest: Digest;
  missing?: boolean;
  config: { digest: Digest };
  layers: ExpectedLayer[];
}
interface DockerImage {
  tags: string[] | null;
  imageID: Digest;
  layers: ExpectedLayer[];
}
interface Case {
  file: string;
  expect: { oci?: OciImage[]; docker?: DockerImage[]; dockerError?: string };
}

const cases = corpusJson<{ cases: Case[] }>('images/cases.json')?.cases ?? [];
const folder = corpus('images') ?? '';

/** Every manifest below the archive's names; undefined for one whose blob is not there. */
async function manifestsOf(archive: Archive): Promise<Map<Digest, ImageManifest | undefined>> {
  const found = new Map<Digest, ImageManifest | undefined>();
  const seen = new Set<Digest>();
  async function visit(descriptor: Descriptor): Promise<void> {
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    const document = await readDocument(archive, descriptor).catch((error: unknown) => {
      if (isOciError(error, 'BLOB_NOT_FOUND')) return undefined;
      throw error;
    });
    if (document?.kind === 'index') for (const child of document.index.manifests) await visit(child);
    else found.set(descriptor.digest, document?.manifest);
  }
  for (const { descriptor } of await archive.list()) await visit(descriptor);
  return found;
}

async function layersOf(archive: Archive, manifest: ImageManifest): Promise<ExpectedLayer[]> {
  const layers: ExpectedLayer[] = [];
  for (const layer of manifest.layers) {
    const bytes = await readVerified(await archive.fetch(layer), layer);
    expect((await archive.locate(layer)).size).toBe(layer.size);
    const form = sniff(bytes);
    const plain = form === 'gzip' ? gunzipSync(bytes) : form === 'zstd' ? zstdDecompressSync(bytes) : bytes;
    const diffID = digestOf(plain);
    layers.push({ digest: layer.digest, size: layer.size, diffID, uncompressedSize: plain.length });
  }
  return layers;
}

function facts({ digest, size, diffID, uncompressedSize }: ExpectedLayer): ExpectedLayer {
  return { ...(digest && { digest }), size, diffID, uncompressedSize };
}

describe.runIf(cases.length > 0)('an archive of the corpus', () => {
  it.each(cases.map((one) => [one.file, one] as const))('%s', async (file, { expect: expected }) => {
    if (file.endsWith('.xz') && !hasTools('xz')) return;
    const path = join(folder, file);
    const refused = expected.dockerError !== undefined || Object.keys(expected).length === 0;
    if (refused) {
      await expect(openArchive(path)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
      return;
    }
    const archive = await openArchive(path);
    try {
      if (expected.oci !== undefined && expected.oci.length > 0) await expectOci(archive, expected.oci);
      else await expectDocker(archive, expected.docker ?? []);
    } finally {
      await archive.close();
    }
  });

  const both = cases.filter(({ expect: { oci, docker } }) => oci !== undefined && docker !== undefined);
  it.each(both.map((one) => [one.file, one] as const))(
    '%s, its docker form',
    async (file, { expect: expected }) => {
      const path = join(folder, file);
      await expectDocker(
        await readDockerArchive(tarFolder(path, path), async () => {}),
        expected.docker ?? [],
      );
    },
  );
});

async function expectOci(archive: Archive, images: OciImage[]): Promise<void> {
  const manifests = await manifestsOf(archive);
  expect(new Set(manifests.keys())).toEqual(new Set(images.map(({ digest }) => digest)));
  for (const image of images) {
    const manifest = manifests.get(image.digest);
    if (image.missing === true) {
      expect(manifest).toBeUndefined();
      continue;
    }
    expect(manifest?.config.digest).toBe(image.config.digest);
    await readVerified(await archive.fetch(manifest!.config), manifest!.config);
    const layers = await layersOf(archive, manifest!);
    // Artifacts have layers that are no tars; theirs are compared by digest only.
    if (layers.every(({ diffID }, i) => diffID === image.layers[i]?.diffID)) {
      expect(layers).toEqual(image.layers.map(facts));
    } else {
      expect(layers.map(({ digest, size }) => ({ digest, size }))).toEqual(
        image.layers.map(({ digest, size }) => ({ digest, size })),
      );
    }
    expect((await archive.resolveName({ digest: image.digest })).digest).toBe(image.digest);
  }
}

async function expectDocker(archive: Archive, images: DockerImage[]): Promise<void> {
  const names = (await archive.list()).map(({ name }) => name);
  expect(names).toEqual(images.flatMap(({ tags }): (string | undefined)[] => tags ?? [undefined]));
  for (const image of images) {
    const root = await archive.resolveName(image.tags?.[0] === undefined ? {} : { tag: image.tags[0] });
    const document = await readDocument(archive, root);
    if (document.kind !== 'manifest') throw new Error('a docker-archive has no index');
    expect(document.manifest.config.digest).toBe(image.imageID);
    await readVerified(await archive.fetch(document.manifest.config), document.manifest.config);
    const layers = await layersOf(archive, document.manifest);
    expect(layers.map(({ size, diffID, uncompressedSize }) => ({ size, diffID, uncompressedSize }))).toEqual(
      image.layers.map(({ size, diffID, uncompressedSize }) => ({ size, diffID, uncompressedSize })),
    );
  }
}
