// What reading a layer once told about it, kept so that `layers` can show it without reading the layer again.
import { fileError } from '../errors.ts';
import { textIfThere } from '../if-there.ts';
import { isRecord, parseJson } from '../json.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { layerRecordPath, type StorePaths } from './paths.ts';
import { replaceFile } from './write-file.ts';

export interface LayerRecord {
  /** Of the blob as transferred. */
  digest: Digest;
  /** Of the uncompressed tar. */
  diffId: Digest;
  /** Bytes of the uncompressed tar. */
  unpackedSize: number;
  /** Tar entries of every kind. */
  entries: number;
  /** Regular files among them. */
  files: number;
}

/** The record of this layer; undefined when there is none or it is damaged: reading the layer makes a new one. */
export function readLayerRecord(paths: StorePaths, digest: Digest): LayerRecord | undefined {
  const path = layerRecordPath(paths, digest);
  const text = textIfThere(path);
  return text === undefined ? undefined : asLayerRecord(parseJson(text), digest);
}

export function writeLayerRecord(paths: StorePaths, record: LayerRecord): void {
  const path = layerRecordPath(paths, record.digest);
  const { digest, diffId, unpackedSize, entries, files } = record;
  const text = `${JSON.stringify({ digest, diffId, unpackedSize, entries, files })}\n`;
  // Whoever looks into an image says the same of its layers again.
  if (textIfThere(path) === text) return;
  try {
    replaceFile(path, text);
  } catch (error) {
    throw fileError(error, path);
  }
}

function asLayerRecord(value: unknown, digest: Digest): LayerRecord | undefined {
  if (!isRecord(value) || value.digest !== digest) return undefined;
  const { diffId, unpackedSize, entries, files } = value;
  if (typeof diffId !== 'string' || !isDigest(diffId)) return undefined;
  if (!isCount(unpackedSize) || !isCount(entries) || !isCount(files)) return undefined;
  return { digest, diffId, unpackedSize, entries, files };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
