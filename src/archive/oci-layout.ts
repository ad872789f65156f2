// The OCI image layout (image-spec image-layout.md), as a directory or in a tar.
import { isOciError, OciError } from '../errors.ts';
import { CONTAINERD_NAME, REF_NAME, TWIN_OF } from '../manifest/annotations.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { OCI_INDEX } from '../manifest/media-types.ts';
import { ofArtifactType, referringAmong } from '../manifest/referrer.ts';
import type { BlobLocation } from '../place/place.ts';
import { readRange } from '../place/read-range.ts';
import { algorithmOf, type Digest, digestOf, hexOf } from '../reference/digest.ts';
import type { Archive } from './archive.ts';
import { type BoxImage, chooseByReference, chooseImage } from './choose.ts';
import { type Folder, readFolderFile } from './folder.ts';

/** index.json may list a great many names; each is about 400 bytes. */
const INDEX_LIMIT = 64 * 1024 * 1024;

/** Reads a layout. `close` is called by the archive's own. Throws ARCHIVE_INVALID, UNSUPPORTED. */
export function readOciLayout(folder: Folder, close: () => Promise<void>): Archive {
  const { images, referring } = readIndex(folder);

  function locate(descriptor: Descriptor): BlobLocation {
    const location = folder.locate(blobName(descriptor.digest));
    if (location === undefined) {
      throw new OciError('BLOB_NOT_FOUND', `${descriptor.digest}: not in ${folder.path}`, {
        hint: 'the archive may hold only some of the platforms its index names',
      });
    }
    return location;
  }

  /** An image that index.json names, or one inside: a platform of an index. */
  function byDigest(digest: Digest): Descriptor | undefined {
    const listed = [...images.map(({ descriptor }) => descriptor), ...referring.map(({ entry }) => entry)];
    return listed.find((descriptor) => descriptor.digest === digest) ?? nested(folder, digest);
  }

  return {
    path: folder.path,
    async resolveName(selector = {}) {
      return (selector.digest && byDigest(selector.digest)) ?? chooseImage(images, selector, folder.path);
    },
    async resolve(reference) {
      return (
        (reference.digest && byDigest(reference.digest)) ?? chooseByReference(images, reference, folder.path)
      );
    },
    async list() {
      return [
        ...images.map(({ names: [name], descriptor }) => ({ name, descriptor })),
        ...referring.map(({ entry, subject }) => ({ name: undefined, descriptor: entry, subject })),
      ];
    },
    async referrers(subject, { artifactType } = {}) {
      const found = referring.filter((one) => one.subject === subject).map(({ entry }) => entry);
      return ofArtifactType(found, artifactType);
    },
    async locate(descriptor) {
      return locate(descriptor);
    },
    async fetch(descriptor, { offset, signal } = {}) {
      return readRange(locate(descriptor), offset, signal);
    },
    close,
  };
}

/** True when the box looks like a layout: `oci-layout` is required by the spec, yet some tools forget it. */
export function isOciLayout(folder: Folder): boolean {
  return folder.locate('index.json') !== undefined;
}

/** What index.json names, and what stands there only because it refers to another document. */
interface LayoutIndex {
  images: BoxImage[];
  referring: { subject: Digest; entry: Descriptor }[];
}

function readIndex(folder: Folder): LayoutIndex {
  checkVersion(folder);
  const bytes = readFolderFile(folder, 'index.json', INDEX_LIMIT);
  if (bytes === undefined) {
    throw new OciError('ARCHIVE_INVALID', `${folder.path}: no index.json, so not an OCI image layout`);
  }
  const descriptor: Descriptor = { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
  const document = asArchiveError(folder, 'index.json', () => parseDocument(bytes, { descriptor }));
  if (document.kind !== 'index')
    throw new OciError('ARCHIVE_INVALID', `${folder.path}: index.json is not an index`);
  const images = document.index.manifests.filter(({ annotations }) => annotations?.[TWIN_OF] === undefined);
  const all = images.map((manifest): BoxImage => {
    const names = [manifest.annotations?.[CONTAINERD_NAME], manifest.annotations?.[REF_NAME]];
    return {
      names: names.filter((name): name is string => name !== undefined && name !== ''),
      descriptor: manifest,
    };
  });
  // An artifact all by itself is what the box is there for.
  if (all.length < 2) return { images: all, referring: [] };
  const unnamed = all.filter(({ names }) => names.length === 0).map(({ descriptor }) => descriptor);
  const referring = referringAmong(unnamed, ({ digest }) =>
    readFolderFile(folder, blobName(digest), MANIFEST_LIMIT),
  );
  const isReferring = new Set(referring.map(({ entry }) => entry.digest));
  return {
    images: all.filter(({ names, descriptor }) => names.length > 0 || !isReferring.has(descriptor.digest)),
    referring,
  };
}

function checkVersion(folder: Folder): void {
  const bytes = readFolderFile(folder, 'oci-layout', 64 * 1024);
  if (bytes === undefined) return;
  const version = /"imageLayoutVersion"\s*:\s*"([^"]{1,40})"/.exec(bytes.toString('utf8'))?.[1];
  if (version === undefined || !version.startsWith('1.')) {
    throw new OciError(
      'UNSUPPORTED',
      `${folder.path}: an OCI image layout of version ${version ?? 'unknown'}`,
      {
        hint: 'this ocitool reads version 1',
      },
    );
  }
}

function nested(folder: Folder, digest: Digest): Descriptor | undefined {
  const location = folder.locate(blobName(digest));
  if (location === undefined || location.size > MANIFEST_LIMIT) return undefined;
  const bytes = readFolderFile(folder, blobName(digest), MANIFEST_LIMIT)!;
  if (digestOf(bytes, algorithmOf(digest)) !== digest) return undefined;
  const { mediaType } = asArchiveError(folder, digest, () => parseDocument(bytes));
  return { mediaType, digest, size: bytes.length };
}

function asArchiveError<T>(folder: Folder, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isOciError(error)) throw error;
    throw new OciError('ARCHIVE_INVALID', `${folder.path}: ${what}: ${error.message}`, { cause: error });
  }
}

function blobName(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}
