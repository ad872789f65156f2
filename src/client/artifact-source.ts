// Local files as a place that artifacts are copied from. A file is read twice, once for its digest and once to be sent, and
// is never held in memory: what changes in between is refused.
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { fileError, OciError, systemCode, throwIfAborted } from '../errors.ts';
import { EMPTY, TITLE } from '../manifest/artifact.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isMediaType } from '../manifest/media-types.ts';
import type { ImageSource } from '../place/place.ts';
import type { LongOptions, OnProgress } from '../place/progress.ts';
import { readRange } from '../place/read-range.ts';
import { createDigester, type Digest } from '../reference/digest.ts';

const ANY_FILE = 'application/octet-stream';

/** A file that goes into an artifact. */
export interface ArtifactFile {
  path: string;
  /** With its title. */
  descriptor: Descriptor;
  /** Tells whether it is still the file that was hashed. */
  stamp: string;
}

/** `FILE[:MEDIATYPE]`. A file of the whole name wins, and what follows the last colon must look like a type. */
export function parseFileArgument(text: string): { path: string; mediaType: string } {
  const colon = text.lastIndexOf(':');
  const mediaType = text.slice(colon + 1);
  if (colon <= 0 || !isMediaType(mediaType) || exists(text)) return { path: text, mediaType: ANY_FILE };
  return { path: text.slice(0, colon), mediaType };
}

/** Hashes the files, telling how far it is. Throws PATH_NOT_FOUND, USAGE (not a regular file, two of one name), PERMISSION, IO, ABORTED. */
export async function describeFiles(
  files: readonly string[],
  { signal, onProgress }: LongOptions,
): Promise<ArtifactFile[]> {
  const described: ArtifactFile[] = [];
  for (const file of files) {
    throwIfAborted(signal);
    const { path, mediaType } = parseFileArgument(file);
    const title = basename(path);
    const twin = described.find(({ descriptor }) => descriptor.annotations?.[TITLE] === title);
    if (twin !== undefined) {
      throw new OciError('USAGE', `${twin.path} and ${path} would both be called ${title}`, {
        hint: 'give one another name, or make two artifacts of them',
      });
    }
    const { size, stamp } = look(path);
    const digest = await hash(path, size, signal, onProgress);
    described.push({
      path,
      descriptor: { mediaType, digest, size, annotations: { [TITLE]: title } },
      stamp,
    });
  }
  return described;
}

/** A place that has the manifest and the files. */
export function artifactSource(
  root: Descriptor,
  manifest: Buffer,
  files: readonly ArtifactFile[],
): ImageSource {
  const documents = new Map<Digest, Buffer>([
    [root.digest, manifest],
    [EMPTY.digest, Buffer.from(EMPTY.data, 'base64')],
  ]);
  return {
    resolve: async () => root,
    async fetch({ digest }, { offset = 0, signal } = {}) {
      const document = documents.get(digest);
      if (document !== undefined) return Readable.from([document.subarray(offset)]);
      const file = files.find(({ descriptor }) => descriptor.digest === digest);
      if (file === undefined) throw new OciError('BLOB_NOT_FOUND', `${digest}: no such file`);
      return Readable.from(unchanged(file, offset, signal));
    },
  };
}

/** The file's bytes; ends with an error when it is another file by then. */
async function* unchanged(
  { path, descriptor, stamp }: ArtifactFile,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const stream = readRange({ path, offset: 0, size: descriptor.size }, offset, signal);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } finally {
    stream.destroy();
  }
  if (look(path).stamp !== stamp) throw changed(path);
}

async function hash(
  path: string,
  size: number,
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
): Promise<Digest> {
  const digester = createDigester();
  let seen = 0;
  const stream = readRange({ path, offset: 0, size }, 0, signal);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      digester.update(chunk);
      seen += chunk.length;
      onProgress?.({ type: 'hashing', path, bytes: seen, size });
    }
  } catch (error) {
    throw fileError(error, path);
  }
  if (seen !== size) throw changed(path);
  return digester.digest();
}

function look(path: string): { size: number; stamp: string } {
  let stat: import('node:fs').BigIntStats;
  try {
    stat = statSync(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileError(error, path);
    throw new OciError('PATH_NOT_FOUND', `${path}: no such file`, { cause: error });
  }
  if (stat.isDirectory()) {
    throw new OciError('USAGE', `${path}: a directory, and an artifact is made of files`, {
      hint: `pack it first: tar -czf ${basename(path)}.tar.gz ${path}`,
    });
  }
  if (!stat.isFile()) {
    throw new OciError('USAGE', `${path}: not a regular file`, {
      hint: 'it is read twice, for its digest and to be sent: write it to a file first',
    });
  }
  const { dev, ino, size, mtimeNs } = stat;
  return { size: Number(size), stamp: `${dev} ${ino} ${size} ${mtimeNs}` };
}

function changed(path: string): OciError {
  return new OciError('IO', `${path}: changed while it was read`, {
    hint: 'no artifact was made; run the same command again when nobody writes to it',
  });
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
