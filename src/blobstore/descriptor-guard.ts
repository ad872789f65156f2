// Narrows JSON of the store to descriptors without zod: `images` must start fast, and documents in the store were
// checked against the full schema when they were pulled.
import { isRecord } from '../json.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isDigest } from '../reference/digest.ts';

/** `value` when it is a descriptor that can be followed, else undefined. */
export function asDescriptor(value: unknown): Descriptor | undefined {
  if (!isRecord(value)) return undefined;
  const { mediaType, digest, size, annotations, platform } = value;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (annotations !== undefined && !isRecord(annotations)) return undefined;
  if (platform !== undefined && !isPlatform(platform)) return undefined;
  return value as unknown as Descriptor;
}

function isPlatform(value: unknown): boolean {
  return isRecord(value) && typeof value.os === 'string' && typeof value.architecture === 'string';
}
