// What `docker save` wrote before version 25, and podman and bazel still do: manifest.json with configs and layer tars.
// It has no manifests, so one is made up for each image: Docker schema 2 over the files as they lie in the archive.
import { Readable } from 'node:stream';
import { isOciError, OciError } from '../errors.ts';
import { parseConfig } from '../manifest/config.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST } from '../manifest/media-types.ts';
import type { BlobLocation, NamedDescriptor } from '../place/place.ts';
import { readRange } from '../place/read-range.ts';
import { createDigester, type Digest, digestOf } from '../reference/digest.ts';
import type { Archive } from './archive.ts';
import { type BoxImage, chooseByReference, chooseImage } from './choose.ts';
import { type Folder, readFolderFile, readLocation } from './folder.ts';
import { sniff } from './sniff.ts';

const LIST_LIMIT = 16 * 1024 * 1024;

/** One image of manifest.json. */
interface Item {
  config: string;
  names: string[];
  layers: string[];
}

/** True when the box has a manifest.json. */
export function isDockerArchive(folder: Folder): boolean {
  return folder.locate('manifest.json') !== undefined;
}

/** Reads a docker-archive. Throws ARCHIVE_INVALID. */
export async function readDockerArchive(folder: Folder, close: () => Promise<void>): Promise<Archive> {
  const manifests = new Map<Digest, Buffer>();
  const blobs = new Map<Digest, BlobLocation>();
  const images: BoxImage[] = [];
  const hashed = new Map<number, Promise<Digest>>();

  /** A layer by the digest of its bytes as stored: its diff ID when it is a plain tar, as it mostly is. */
  async function addLayer(name: string, diffId: Digest): Promise<Descriptor> {
    const location = name === '' ? undefined : folder.locate(name);
    if (location === undefined) {
      const known = blobs.get(diffId);
      if (known !== undefined) return { mediaType: DOCKER_LAYER, digest: diffId, size: known.size };
      // Archives that leave out layers the other side is thought to have (podman#8132) name them "".
      throw invalid(
        folder,
        `layer ${diffId} ${name === '' ? 'was left out' : `(${name.slice(0, 100)}) is missing`}`,
      );
    }
    const form = sniff(readLocation(location, 6));
    const mediaType =
      form === 'gzip' ? DOCKER_LAYER_GZIP : form === 'zstd' ? `${DOCKER_LAYER}.zstd` : DOCKER_LAYER;
    let digest = diffId;
    if (mediaType !== DOCKER_LAYER) {
      const running = hashed.get(location.offset) ?? hash(location);
      hashed.set(location.offset, running);
      digest = await running;
    }
    blobs.set(digest, location);
    return { mediaType, digest, size: location.size };
  }

  for (const { config: name, names, layers } of readItems(folder)) {
    const bytes = readFolderFile(folder, name, MANIFEST_LIMIT);
    if (bytes === undefined) throw invalid(folder, `the config ${name.slice(0, 100)} is missing`);
    const diffIds = readDiffIds(folder, name, bytes);
    if (diffIds.length !== layers.length) {
      throw invalid(
        folder,
        `${name.slice(0, 100)} has ${diffIds.length} diff IDs for ${layers.length} layers`,
      );
    }
    const config: Descriptor = { mediaType: DOCKER_CONFIG, digest: digestOf(bytes), size: bytes.length };
    blobs.set(config.digest, folder.locate(name)!);
    const described: Descriptor[] = [];
    for (const [i, layer] of layers.entries()) described.push(await addLayer(layer, diffIds[i]!));
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers: described }),
    );
    const descriptor: Descriptor = {
      mediaType: DOCKER_MANIFEST,
      digest: digestOf(manifest),
      size: manifest.length,
    };
    manifests.set(descriptor.digest, manifest);
    images.push({ names, descriptor });
  }

  function locate(descriptor: Descriptor): BlobLocation {
    const location = blobs.get(descriptor.digest);
    if (location === undefined)
      throw new OciError('BLOB_NOT_FOUND', `${descriptor.digest}: not in ${folder.path}`);
    return location;
  }

  return {
    path: folder.path,
    resolveName: async (selector = {}) => chooseImage(images, selector, folder.path),
    resolve: async (reference) => chooseByReference(images, reference, folder.path),
    list: async () =>
      images.flatMap(({ names, descriptor }): NamedDescriptor[] =>
        (names.length === 0 ? [undefined] : names).map((name) => ({ name, descriptor })),
      ),
    locate: async (descriptor) => locate(descriptor),
    async fetch(descriptor, { offset = 0, signal } = {}) {
      const manifest = manifests.get(descriptor.digest);
      if (manifest !== undefined) return Readable.from([manifest.subarray(offset)], { objectMode: false });
      return readRange(locate(descriptor), offset, signal);
    },
    close,
  };
}

function readItems(folder: Folder): Item[] {
  const bytes = readFolderFile(folder, 'manifest.json', LIST_LIMIT);
  let list: unknown;
  try {
    list = JSON.parse(bytes?.toString('utf8') ?? '');
  } catch (error) {
    throw new OciError('ARCHIVE_INVALID', `${folder.path}: manifest.json is not JSON`, { cause: error });
  }
  if (!Array.isArray(list) || list.length === 0) throw invalid(folder, 'manifest.json names no image');
  return list.map((value: unknown) => {
    const item = asItem(value);
    if (item === undefined) throw invalid(folder, 'manifest.json is not what docker save writes');
    return item;
  });
}

/** `RepoTags` and `Layers` are null when there are none: Go writes an empty list so. */
function asItem(value: unknown): Item | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { Config: config, RepoTags: names, Layers: layers } = value as Record<string, unknown>;
  if (typeof config !== 'string' || !isStrings(names ?? []) || !isStrings(layers ?? [])) return undefined;
  return { config, names: (names ?? []) as string[], layers: (layers ?? []) as string[] };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function readDiffIds(folder: Folder, name: string, bytes: Buffer): Digest[] {
  try {
    return parseConfig(bytes).rootfs.diff_ids;
  } catch (error) {
    if (!isOciError(error)) throw error;
    throw new OciError('ARCHIVE_INVALID', `${folder.path}: ${name.slice(0, 100)}: ${error.message}`, {
      cause: error,
    });
  }
}

async function hash(location: BlobLocation): Promise<Digest> {
  const digester = createDigester();
  for await (const chunk of readRange(location)) digester.update(chunk as Buffer);
  return digester.digest();
}

function invalid(folder: Folder, what: string): OciError {
  return new OciError('ARCHIVE_INVALID', `${folder.path}: ${what}`, {
    hint: 'save the image again, with all its layers',
  });
}
