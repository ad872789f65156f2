// index.json: the names as every OCI tool reads them (image-spec image-layout.md), regenerated from the database.
import { statSync } from 'node:fs';
import { OciError } from '../errors.ts';
import { textIfThere } from '../if-there.ts';
import { isRecord, parseJson } from '../json.ts';
import { CONTAINERD_NAME, REF_NAME, TWIN_OF } from '../manifest/annotations.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { asDescriptor } from './descriptor-guard.ts';

/** An entry of index.json. The key is the name, or `@digest` for an image without one. */
export interface IndexEntry {
  key: string;
  descriptor: Descriptor;
}

/** The name a key stands for. */
export function nameOfKey(key: string): string | undefined {
  return key.startsWith('@') ? undefined : key;
}

/** The JSON of one entry: the descriptor with its name in both annotations. */
export function entryText(name: string, descriptor: Descriptor): string {
  const { mediaType, digest, size, artifactType, platform, annotations } = descriptor;
  return JSON.stringify({
    mediaType,
    digest,
    size,
    artifactType,
    platform,
    annotations: { ...annotations, [REF_NAME]: name, [CONTAINERD_NAME]: name },
  });
}

/** The descriptor in an entry's JSON, without its names. */
export function entryDescriptor(text: string): Descriptor {
  const descriptor = asDescriptor(parseJson(text));
  if (descriptor === undefined)
    throw new OciError('STORE_INVALID', `not a descriptor: ${text.slice(0, 100)}`);
  return withoutNames(descriptor);
}

const HEAD = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[';

/** The file's content for entries already in JSON. */
export function indexBytes(entries: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(HEAD), entries, Buffer.from(']}\n')]);
}

/** The entries of index.json, none when there is no file. Throws STORE_INVALID. */
export function readIndexFile(path: string): IndexEntry[] {
  const text = textIfThere(path);
  if (text === undefined) return [];
  const index = parseJson(text);
  if (!isRecord(index) || !Array.isArray(index.manifests)) {
    throw new OciError('STORE_INVALID', `${path}: not an image index`, {
      hint: 'another tool may have been stopped while writing it; restore it or use another store',
    });
  }
  const entries = new Map<string, Descriptor>();
  for (const manifest of index.manifests as unknown[]) {
    const descriptor = asDescriptor(manifest);
    if (descriptor === undefined)
      throw new OciError('STORE_INVALID', `${path}: an entry is not a descriptor`);
    if (descriptor.annotations?.[TWIN_OF] !== undefined) continue;
    const name = descriptor.annotations?.[CONTAINERD_NAME] ?? descriptor.annotations?.[REF_NAME];
    const unnamed = typeof name !== 'string' || name === '' || name.startsWith('@') || entries.has(name);
    entries.set(unnamed ? `@${descriptor.digest}` : name, withoutNames(descriptor));
  }
  return [...entries].map(([key, descriptor]) => ({ key, descriptor }));
}

/**
 * Tells whether the file is still the one we wrote: inode, size and time of last change, and the mark of those who did
 * not wait for the disk (unforced.ts). Undefined when missing.
 */
export function indexStamp(path: string, mark?: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : stampOf(stat, mark);
}

export function stampOf(stat: { ino: bigint; size: bigint; mtimeNs: bigint }, mark?: string): string {
  const file = `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
  return mark === undefined ? file : `${file} ${mark}`;
}

function withoutNames(descriptor: Descriptor): Descriptor {
  if (descriptor.annotations === undefined) return descriptor;
  const { [REF_NAME]: _ref, [CONTAINERD_NAME]: _containerd, ...others } = descriptor.annotations;
  const { annotations: _all, ...rest } = descriptor;
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}
