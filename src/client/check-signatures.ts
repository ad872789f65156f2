// Is an image signed as it has to be: itself, or, when one platform of it is enough, the image for that.
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { hostPlatform } from '../manifest/platform.ts';
import { selectPlatform } from '../manifest/platform-match.ts';
import type { ImageSource } from '../place/place.ts';
import { readSmall } from '../place/read-document.ts';
import { type Demand, judge } from '../verify/judge.ts';
import type { RefusedSignature, Subject, ValidSignature } from '../verify/signature.ts';
import type { Client, RepositoryUse } from './client.ts';
import { findSignatures, type SignaturePlace } from './find-signatures.ts';

/** An image and where its signatures may be, in the order to look. */
export interface ImageToCheck {
  name: string;
  source: ImageSource;
  root: Descriptor;
  signatures: readonly (() => Promise<SignaturePlace>)[];
}

/** An image that is signed as was demanded. */
export interface CheckedImage {
  /** What is signed: the root, or the manifest of one platform. */
  descriptor: Descriptor;
  valid: ValidSignature[];
  refused: RefusedSignature[];
}

/**
 * Checks each of the demands. With `onePlatform` an index that is not signed gives way to its image for the client's
 * platform. Each signature that does not count is told as a warning when none does.
 * Throws SIGNATURE_INVALID, and what reading throws.
 */
export async function checkSignatures(
  client: Client,
  image: ImageToCheck,
  demands: readonly Demand[],
  use: RepositoryUse = {},
): Promise<CheckedImage> {
  const refused: RefusedSignature[] = [];
  for await (const { descriptor, subject } of candidatesOf(client, image, use)) {
    const verdict = await checkSubject(client, image, subject, demands);
    refused.push(...verdict.refused);
    if (verdict.holds) return { descriptor, valid: verdict.valid, refused };
  }
  for (const { origin, reason } of refused) {
    client.onProgress?.({ type: 'warning', message: `signature ${origin.slice(0, 19)}: ${reason}` });
  }
  const count = refused.length;
  throw new OciError(
    'SIGNATURE_INVALID',
    `${image.name}: no valid signature of ${image.root.digest} (${count} found${count === 1 ? `: ${refused[0]?.reason}` : ''})`,
    {
      hint:
        count === 0
          ? 'it may be unsigned, or its signatures were not copied with it'
          : 'it is not what that signer released, or the wrong signer was asked for; do not use it',
    },
  );
}

interface Candidate {
  descriptor: Descriptor;
  subject: Subject;
}

/** What may be signed, one after the other: the second is read only when the first is not. */
async function* candidatesOf(
  client: Client,
  { source, root, name }: ImageToCheck,
  { onePlatform }: RepositoryUse,
): AsyncGenerator<Candidate, void> {
  const subject = await subjectOf(source, root, client);
  yield { descriptor: root, subject };
  const document = parseDocument(subject.raw, { descriptor: root });
  if (onePlatform !== true || document.kind === 'manifest') return;
  const platform = (await client.platform()) ?? hostPlatform();
  try {
    const descriptor = selectPlatform(document.index.manifests, platform, name);
    yield { descriptor, subject: await subjectOf(source, descriptor, client) };
  } catch (error) {
    // The index says nothing of that platform, or the store does not have it: the index it is, then.
    if (!isOciError(error, 'PLATFORM_NOT_FOUND') && !isOciError(error, 'BLOB_NOT_FOUND')) throw error;
  }
}

async function subjectOf(source: ImageSource, descriptor: Descriptor, client: Client): Promise<Subject> {
  const raw = await readSmall(source, descriptor, client);
  const { kind } = parseDocument(raw, { descriptor });
  return { digest: descriptor.digest, kind, raw };
}

/** Looks in one place after the other until the demands are met. */
async function checkSubject(
  client: Client,
  image: ImageToCheck,
  subject: Subject,
  demands: readonly Demand[],
): Promise<{ holds: boolean; valid: ValidSignature[]; refused: RefusedSignature[] }> {
  const met = new Set<Demand>();
  const valid = new Map<string, ValidSignature>();
  const refused: RefusedSignature[] = [];
  for (const open of image.signatures) {
    const signatures = await findSignatures(await open(), subject, client);
    refused.push(...signatures.refused);
    for (const demand of demands) {
      const verdict = await judge(signatures.found, subject, demand);
      for (const one of verdict.valid) valid.set(`${one.origin} ${JSON.stringify(one.signer)}`, one);
      refused.push(...verdict.refused);
      if (verdict.valid.length > 0) met.add(demand);
    }
    if (met.size === demands.length) break;
  }
  return {
    holds: met.size === demands.length && demands.length > 0,
    valid: [...valid.values()],
    refused,
  };
}
