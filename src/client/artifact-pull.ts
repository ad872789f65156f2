// Pull of an artifact to files: each layer that has a title becomes a file, or the directory that it is a tar of.
import { createCopier } from '../copy/copier.ts';
import { OciError } from '../errors.ts';
import { type TitledFile, titledFiles } from '../manifest/artifact-files.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageManifest } from '../manifest/document.ts';
import { hostPlatform } from '../manifest/platform.ts';
import { selectPlatform } from '../manifest/platform-match.ts';
import { keepDocuments } from '../place/keep-documents.ts';
import type { BlobLocation, ImageSource } from '../place/place.ts';
import { readDocument } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';
import type { TreeNode } from '../rootfs/tree.ts';
import { type ArtifactTarget, duplicate, openArtifactTarget } from './artifact-target.ts';
import type { Client } from './client.ts';
import { parseName } from './image-argument.ts';

export interface PullFilesOptions {
  /** Replace files that are there. Directories never are. Default false. */
  force?: boolean | undefined;
  /** Blobs in flight. Default 6. */
  concurrency?: number | undefined;
}

/** An artifact's files, written. */
export interface PulledFiles {
  /** The artifact as people write it. */
  name: string;
  digest: Digest;
  artifactType: string;
  files: TitledFile[];
  /** Bytes fetched. */
  transferred: number;
}

/**
 * Pulls the files of `image` into the directory `dir`, from its registry and not into the store. All of them appear, or
 * none. Throws LAYER_REFUSED (hostile names), DESTINATION_NOT_EMPTY, UNSUPPORTED (nothing in it has a name),
 * IMAGE_NOT_FOUND, DIGEST_MISMATCH, DISK_FULL, PERMISSION.
 */
export async function pullFiles(
  client: Client,
  image: string,
  dir: string,
  { force = false, concurrency }: PullFilesOptions = {},
): Promise<PulledFiles> {
  const { signal, onProgress } = client;
  const reference = await parseName(client, image);
  const name = familiarReference(reference);
  const repository = await client.repository(reference);
  const { descriptor, manifest } = await findManifest(client, repository, {
    root: await repository.resolve(reference, { signal }),
    name,
  });
  const { files, unnamed } = titledFiles(manifest);
  if (files.length === 0) {
    throw new OciError(
      'UNSUPPORTED',
      `${name}: none of its ${manifest.layers.length} layers has a file name`,
      {
        hint: `an image's files come with: ocitool unpack ${name} DIR`,
      },
    );
  }
  if (unnamed > 0) {
    onProgress?.({ type: 'warning', message: `${name}: ${unnamed} layers without a file name are left out` });
  }
  const opened = openArtifactTarget(dir, files, force);
  let done = false;
  try {
    const source = { ...repository, ...keepDocuments(repository, descriptor, opened.target) };
    const copier = createCopier(opened.target, { signal, onProgress, concurrency });
    const { transferred } = await copier.copy(source, withDigest(reference, descriptor.digest), {
      allPlatforms: true,
    });
    await placeFiles(client, files, opened);
    done = true;
    const artifactType = manifest.artifactType || manifest.config.mediaType;
    return { name, digest: descriptor.digest, artifactType, files, transferred };
  } finally {
    opened.close(done);
  }
}

/** The manifest itself, or the one for the client's platform of an index. */
async function findManifest(
  client: Client,
  source: ImageSource,
  { root, name }: { root: Descriptor; name: string },
): Promise<{ descriptor: Descriptor; manifest: ImageManifest }> {
  const document = await readDocument(source, root, client);
  if (document.kind === 'manifest') return { descriptor: root, manifest: document.manifest };
  const platform = (await client.platform()) ?? hostPlatform();
  const descriptor = selectPlatform(document.index.manifests, platform, name);
  const inner = await readDocument(source, descriptor, client);
  if (inner.kind === 'manifest') return { descriptor, manifest: inner.manifest };
  throw new OciError('UNSUPPORTED', `${name}: an index within an index has no files`);
}

async function placeFiles(client: Client, files: TitledFile[], opened: ArtifactTarget): Promise<void> {
  const places = files.map((file) => ({ file, blob: opened.locate(file) }));
  // Unpacked before anything is placed: this is where most can go wrong.
  const staged: string[] = [];
  for (const [i, { file, blob }] of places.entries()) {
    const isLast = !places.slice(i + 1).some((other) => other.blob.path === blob.path);
    if (file.isDirectory)
      staged.push(await unpackDirectory(client, file, blob, opened.scratch(`unpacked-${i}`)));
    else staged.push(isLast ? blob.path : duplicate(blob, `copy-${i}`));
  }
  for (const [i, { file }] of places.entries()) opened.place(file, staged[i] as string);
}

/** Unpacks a directory by the rules for layers, and gives the path it has then. Throws what the engine throws, LAYER_REFUSED. */
async function unpackDirectory(
  client: Client,
  { title, descriptor, diffId }: TitledFile,
  location: BlobLocation,
  scratch: string,
): Promise<string> {
  const { unpack } = await import('../rootfs/unpack.ts');
  const { signal, onProgress, limits } = client;
  const { tree } = await unpack([{ descriptor, location, diffId }], scratch, { signal, onProgress, limits });
  const refuse = (why: string): OciError =>
    new OciError('LAYER_REFUSED', `${descriptor.digest}: ${why}`, { hint: 'nothing was written' });
  let node: TreeNode | undefined = tree.root;
  for (const part of title.split('/')) {
    if (node?.children?.size !== 1) throw refuse(`more in it than ${JSON.stringify(title)}`);
    node = node.children.get(Buffer.from(part).toString('latin1'));
  }
  if (node?.kind !== 'directory') throw refuse(`${JSON.stringify(title)} is not a directory in it`);
  if (hasSpecial(node)) throw refuse('devices or pipes in it');
  return `${scratch}/${title}`;
}

function hasSpecial(node: TreeNode): boolean {
  const children = [...(node.children?.values() ?? [])];
  return ['char', 'block', 'fifo'].includes(node.kind) || children.some(hasSpecial);
}
