// The attestations that an image's index carries for one of its platforms: an SBOM, where it was built from (BuildKit).
import { isOciError } from '../errors.ts';
import { decodeStatement, PREDICATE_TYPE, type Statement } from '../manifest/attestation.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { attestedDigest } from '../manifest/platform-match.ts';
import type { ImageSource } from '../place/place.ts';
import { readDocument } from '../place/read-document.ts';
import { readVerified } from '../place/verify.ts';
import type { Digest } from '../reference/digest.ts';
import type { Client } from './client.ts';
import type { OpenedImage } from './open-image.ts';

/** Bytes of a statement that are read at most; an SBOM of a full distribution has about 10 MB. */
const STATEMENT_LIMIT = 32 * 1024 * 1024;
const MOST_STATEMENTS = 16;

/** An attestation manifest of the index. */
export interface ImageAttestation {
  digest: Digest;
  size: number;
  /** Set when they were asked for. */
  statements?: AttachedStatement[];
}

/** A statement with the blob it is in. */
export interface AttachedStatement extends Statement {
  digest: Digest;
  size: number;
  /** Why nothing more is known of it. */
  problem?: string;
}

/** The attestations for the opened platform, as the index names them; nothing is read. */
export function attestationsOf({
  index,
  descriptor,
}: Pick<OpenedImage, 'index' | 'descriptor'>): Descriptor[] {
  return (index?.manifests ?? []).filter((entry) => attestedDigest(entry) === descriptor.digest);
}

/**
 * The same with their statements decoded. What the store does not have is read from the image's registry.
 * Throws MANIFEST_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH, and what the place throws.
 */
export async function readAttestations(client: Client, opened: OpenedImage): Promise<ImageAttestation[]> {
  const read: ImageAttestation[] = [];
  for (const attestation of attestationsOf(opened)) {
    const { digest, size } = attestation;
    const source = await holderOf(client, opened, attestation);
    const document = await readDocument(source, attestation, client);
    const layers = document.kind === 'manifest' ? document.manifest.layers : [];
    const statements: AttachedStatement[] = [];
    for (const layer of layers.filter(isStatement).slice(0, MOST_STATEMENTS)) {
      statements.push(await readStatement(client, source, layer, opened.descriptor.digest));
    }
    read.push({ digest, size, statements });
  }
  return read;
}

/** `pull` of one platform leaves the attestations behind. */
async function holderOf(
  client: Client,
  { source, from, reference }: OpenedImage,
  attestation: Descriptor,
): Promise<ImageSource> {
  if (from !== 'store' || reference === undefined) return source;
  const isHere = await (await client.store()).has(attestation);
  return isHere ? source : await client.repository(reference);
}

function isStatement({ annotations }: Descriptor): boolean {
  return annotations?.[PREDICATE_TYPE] !== undefined;
}

async function readStatement(
  client: Client,
  source: ImageSource,
  layer: Descriptor,
  image: Digest,
): Promise<AttachedStatement> {
  const { digest, size } = layer;
  const told = { digest, size, predicateType: (layer.annotations?.[PREDICATE_TYPE] ?? '').slice(0, 1000) };
  if (size > STATEMENT_LIMIT) return { ...told, problem: `larger than ${STATEMENT_LIMIT} bytes: not read` };
  try {
    const bytes = await readVerified(await source.fetch(layer, { signal: client.signal }), layer);
    const statement = decodeStatement(bytes, image);
    return statement === undefined
      ? { ...told, problem: 'not an in-toto statement' }
      : { ...told, ...statement };
  } catch (error) {
    if (isOciError(error, 'BLOB_NOT_FOUND')) return { ...told, problem: 'not there' };
    throw error;
  }
}
