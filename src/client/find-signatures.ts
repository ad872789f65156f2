// Fetches what may be a signature of an image, from where cosign puts them: under a tag made from the image's digest, and
// among its referrers. All of it is bounded and none of it is believed.
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { hasReferrers, type ImageSource } from '../place/place.ts';
import type { LongOptions } from '../place/progress.ts';
import { readDocument, readSmall } from '../place/read-document.ts';
import type { Repository } from '../reference/reference.ts';
import type { FoundSignature, RefusedSignature, Subject } from '../verify/signature.ts';

/** Signatures of one image that are looked at, at most. */
const MOST = 100;
/** Bytes; a payload has 300 and a bundle 10,000. */
const MAX_SIZE = 512 * 1024;

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle[.+]/;
const ANNOTATION = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  log: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
  /** What a bundle says, on the document that holds it. */
  predicate: 'dev.sigstore.bundle.predicateType',
};
const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** A place with the repository in it where an image's signatures are. */
export interface SignaturePlace {
  source: ImageSource;
  repository: Repository;
}

/** What was found, and what was not worth a look or could not be read. */
export interface FoundSignatures {
  found: FoundSignature[];
  refused: RefusedSignature[];
}

/** Throws what reading from the place throws, except that something is missing or broken: that is told in `refused`. */
export async function findSignatures(
  place: SignaturePlace,
  subject: Subject,
  options: LongOptions,
): Promise<FoundSignatures> {
  const result: FoundSignatures = { found: [], refused: [] };

  /** Reads one; a signature that cannot be read is one that does not count. */
  async function take(
    form: FoundSignature['form'],
    origin: Descriptor,
    read: () => Promise<FoundSignature>,
  ): Promise<void> {
    const refuse = (reason: string): void => {
      result.refused.push({ form, origin: origin.digest, reason });
    };
    if (result.found.length + result.refused.length > MOST) return;
    if (result.found.length + result.refused.length === MOST) {
      refuse(`there are more than ${MOST}; the others are not looked at`);
      return;
    }
    try {
      result.found.push(await read());
    } catch (error) {
      if (!isBroken(error)) throw error;
      refuse(error.message);
    }
  }

  async function readBounded(descriptor: Descriptor): Promise<Buffer> {
    if (descriptor.size > MAX_SIZE)
      throw new OciError('SIGNATURE_INVALID', `it has ${descriptor.size} bytes`);
    return await readSmall(place.source, descriptor, options);
  }

  /** A list of signatures; one that is broken is told as a signature that is. */
  async function list(
    form: FoundSignature['form'],
    read: () => Promise<Descriptor[]>,
  ): Promise<Descriptor[]> {
    try {
      return await read();
    } catch (error) {
      if (!isBroken(error)) throw error;
      result.refused.push({ form, origin: subject.digest, reason: error.message });
      return [];
    }
  }

  for (const layer of await list('tag', () => taggedLayers(place, subject, options))) {
    const signature = layer.annotations?.[ANNOTATION.signature];
    if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined) continue;
    await take('tag', layer, async () => ({
      form: 'tag',
      origin: layer.digest,
      payload: await readBounded(layer),
      annotations: {
        signature,
        certificate: layer.annotations?.[ANNOTATION.certificate],
        chain: layer.annotations?.[ANNOTATION.chain],
        log: layer.annotations?.[ANNOTATION.log],
        timestamp: layer.annotations?.[ANNOTATION.timestamp],
      },
    }));
  }
  for (const referrer of await list('bundle', () => bundles(place, subject, options))) {
    await take('bundle', referrer, async () => {
      // Anybody's word, but only to leave something out: an SBOM need not be fetched to be no signature.
      const predicate = referrer.annotations?.[ANNOTATION.predicate];
      if (predicate !== undefined && predicate !== SIGN_PREDICATE) {
        throw new OciError(
          'SIGNATURE_INVALID',
          `an attestation (${predicate.slice(0, 200)}), not a signature`,
        );
      }
      const document = await readDocument(place.source, referrer, options);
      const layers = document.kind === 'manifest' ? document.manifest.layers : [];
      const layer = layers.find(({ mediaType }) => BUNDLE_TYPE.test(mediaType));
      if (layer === undefined) throw new OciError('SIGNATURE_INVALID', 'no bundle in it');
      return { form: 'bundle', origin: referrer.digest, bundle: await readBounded(layer) };
    });
  }
  return result;
}

async function taggedLayers(
  { source, repository }: SignaturePlace,
  { digest }: Subject,
  options: LongOptions,
): Promise<Descriptor[]> {
  const tag = `${digest.replace(':', '-')}.sig`;
  try {
    // The name may have a digest of its own, which would win over the tag.
    const { registry, repository: path } = repository;
    const named = { registry, repository: path, tag };
    const descriptor = await source.resolve(named, { signal: options.signal });
    const document = await readDocument(source, descriptor, options);
    return document.kind === 'manifest' ? document.manifest.layers : [];
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return [];
    throw error;
  }
}

async function bundles(
  { source }: SignaturePlace,
  { digest }: Subject,
  { signal }: LongOptions,
): Promise<Descriptor[]> {
  if (!hasReferrers(source)) return [];
  const referrers = await source.referrers(digest, { signal });
  return referrers.filter(({ artifactType = '' }) => BUNDLE_TYPE.test(artifactType));
}

const BROKEN = [
  'SIGNATURE_INVALID',
  'BLOB_NOT_FOUND',
  'DIGEST_MISMATCH',
  'SIZE_MISMATCH',
  'MANIFEST_INVALID',
  'MANIFEST_TOO_LARGE',
  'UNSUPPORTED',
] as const;

function isBroken(error: unknown): error is OciError {
  return BROKEN.some((code) => isOciError(error, code));
}
