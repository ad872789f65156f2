// Export: an image's root file system as one file, a tar or an image of a file system.
import { createWriteStream, type Stats, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { pipeline as pipe } from 'node:stream/promises';
import { fileError, OciError } from '../errors.ts';
import { createCompressor } from '../layer/compress.ts';
import type { Digest } from '../reference/digest.ts';
import { exportTree } from '../rootfs/export.ts';
import { type FileSystemFormat, findMaker, makeImage } from '../rootfs/image-maker.ts';
import { makePrivateFolder, removeTree } from '../rootfs/private-folder.ts';
import { unpack as unpackLayers } from '../rootfs/unpack.ts';
import type { Client } from './client.ts';
import { openLayers } from './open-layers.ts';
import { type OpenedTree, openTree } from './open-tree.ts';

export const EXPORT_FORMATS = ['tar', 'tar.gz', 'tar.zst', 'squashfs', 'erofs'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
type TarFormat = Exclude<ExportFormat, FileSystemFormat>;

/** Options of `exportImage`. */
export interface ExportOptions {
  /** Default: what the file's ending says, else a tar. */
  format?: ExportFormat | undefined;
}

/** What was exported. */
export interface ExportedImage {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
  file: string;
  format: ExportFormat;
  /** Bytes of the file; 0 for a device or pipe. */
  size: number;
  /** What could not be done as the image says; one line each. */
  warnings: string[];
}

/** An archive on its way. Close it. */
export interface ExportStream {
  name: string;
  digest: Digest;
  stream: Readable;
  close(): Promise<void>;
}

/** The format a file's name asks for; undefined when it says nothing. */
export function exportFormatOf(file: string): ExportFormat | undefined {
  const name = file.toLowerCase();
  if (/\.(tar\.gz|tgz)$/.test(name)) return 'tar.gz';
  if (/\.(tar\.zst|tzst)$/.test(name)) return 'tar.zst';
  if (/\.(squashfs|sqfs|sfs)$/.test(name)) return 'squashfs';
  if (/\.(erofs)$/.test(name)) return 'erofs';
  return name.endsWith('.tar') ? 'tar' : undefined;
}

/** True when the tool that makes `file` wants an unpacked tree, whose owners are only as right as the caller may make them. */
export async function exportNeedsTree(file: string, format = exportFormatOf(file)): Promise<boolean> {
  return (format === 'squashfs' || format === 'erofs') && (await findMaker(format)).from === 'tree';
}

/**
 * The flattened image as a stream: a tar, compressed or not. The same image gives the same bytes, wherever it is read
 * from. Throws USAGE for a file system image, which no stream can hold, and as `unpack` does; the stream ends
 * with what reading the layers throws.
 */
export async function exportStream(
  client: Client,
  image: string,
  options: ExportOptions = {},
): Promise<ExportStream> {
  const { format = 'tar' } = options;
  if (format === 'squashfs' || format === 'erofs') throw needsFile(format);
  const opened = await openTree(client, image);
  const { name, descriptor } = opened.image;
  return { name, digest: descriptor.digest, stream: tarStream(client, opened, format), close: opened.close };
}

/**
 * Writes the flattened image to `file`, which appears whole or not at all and replaces a file that was there.
 * Throws UNSUPPORTED when the tool a format needs is missing, DISK_FULL, PERMISSION, IO, and as `unpack` does.
 */
export async function exportImage(
  client: Client,
  image: string,
  file: string,
  options: ExportOptions = {},
): Promise<ExportedImage> {
  const format = options.format ?? exportFormatOf(file) ?? 'tar';
  const write = (target: string, flags: 'wx' | 'w' = 'wx'): Promise<Written> =>
    format === 'squashfs' || format === 'erofs'
      ? writeFileSystem(client, image, target, format)
      : writeTar(client, image, target, format, flags);
  const there = statsOf(file);
  if (there?.isDirectory()) throw new OciError('IO', `${file}: is a directory`);
  if (there !== undefined && !there.isFile()) {
    // A device or a pipe is written into: as root, a file put in its place would take /dev/null from the machine.
    if (format === 'squashfs' || format === 'erofs') throw needsFile(format);
    return { ...(await write(file, 'w')), file, format, size: 0 };
  }
  const partial = `${file}.partial-${process.pid}`;
  try {
    const written = await write(partial);
    const { size } = statSync(partial);
    await rename(partial, file);
    return { ...written, file, format, size };
  } catch (error) {
    await rm(partial, { force: true });
    throw fileError(error, file);
  }
}

function statsOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw fileError(error, file);
  }
}

function needsFile(format: FileSystemFormat): OciError {
  return new OciError('USAGE', `a ${format} image needs a file to be written to`, {
    hint: `name it with -o, as in -o rootfs.${format}`,
  });
}

type Written = Pick<ExportedImage, 'name' | 'digest' | 'warnings'>;

async function writeTar(
  client: Client,
  image: string,
  file: string,
  format: TarFormat,
  flags: string,
): Promise<Written> {
  const { name, digest, stream, close } = await exportStream(client, image, { format });
  try {
    await pipe(stream, createWriteStream(file, { flags }));
    return { name, digest, warnings: [] };
  } finally {
    await close();
  }
}

async function writeFileSystem(
  client: Client,
  image: string,
  file: string,
  format: FileSystemFormat,
): Promise<Written> {
  const { signal, onProgress, limits } = client;
  const maker = await findMaker(format);
  if (maker.from === 'tar') {
    const opened = await openTree(client, image);
    try {
      await makeImage(maker, opened.tree, tarStream(client, opened, 'tar'), file, { signal });
      return { name: opened.image.name, digest: opened.image.descriptor.digest, warnings: [] };
    } finally {
      await opened.close();
    }
  }
  const opened = await openLayers(client, image);
  // Beside the file: where there is room for one there is likely room for the other.
  const folder = makePrivateFolder(dirname(file), basename(file), 'tree');
  try {
    const rootfs = join(folder, 'rootfs');
    const { tree, warnings } = await unpackLayers(opened.layers, rootfs, {
      signal,
      onProgress,
      limits,
      verifyBlob: opened.unverified,
    });
    await makeImage(maker, tree, rootfs, file, { signal });
    return { name: opened.name, digest: opened.descriptor.digest, warnings };
  } finally {
    removeTree(folder);
    await opened.close();
  }
}

function tarStream({ signal }: Client, { tree, image }: OpenedTree, format: TarFormat): Readable {
  const tar = exportTree(tree, image.layers, { signal });
  if (format === 'tar') return tar;
  // What ends the one ends the other, with the same error; the reader of the last hears of it.
  return pipeline(tar, createCompressor(format === 'tar.gz' ? 'gzip' : 'zstd'), () => {});
}
