// May a signature made for one name stand for an image that was asked for by another (containers-policy.json(5),
// signedIdentity)? Names are compared in their full form; a signature's must say tag or digest itself.
import { formatReference, formatRepository, parseReference, type Reference } from '../reference/reference.ts';

/** What the name in the signature has to be. */
export type SignedIdentity =
  | { type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { type: 'exactReference'; dockerReference: string }
  | { type: 'exactRepository'; dockerRepository: string }
  | { type: 'remapIdentity'; prefix: string; signedPrefix: string };

/** The members each form needs beside its type. */
export const IDENTITY_MEMBERS = {
  matchExact: [],
  matchRepoDigestOrExact: [],
  matchRepository: [],
  exactReference: ['dockerReference'],
  exactRepository: ['dockerRepository'],
  remapIdentity: ['prefix', 'signedPrefix'],
} as const satisfies Record<SignedIdentity['type'], readonly string[]>;

/** True when `claimed`, the name the signer gave the image, is what `rule` wants of the image `asked` for. */
export function fitsSignedIdentity(rule: SignedIdentity, asked: Reference, claimed: string): boolean {
  const signed = parse(claimed);
  if (signed === undefined) return false;
  switch (rule.type) {
    case 'matchExact':
      return same(asked, signed);
    case 'matchRepoDigestOrExact':
      return sameOrRepository(asked, signed);
    case 'matchRepository':
      return sameRepository(asked, signed);
    case 'exactReference': {
      const wanted = parse(rule.dockerReference);
      return wanted !== undefined && same(wanted, signed);
    }
    case 'exactRepository': {
      const wanted = parse(rule.dockerRepository);
      return wanted !== undefined && sameRepository(wanted, signed);
    }
    case 'remapIdentity': {
      const mapped = remap(asked, rule);
      return mapped !== undefined && sameOrRepository(mapped, signed);
    }
  }
}

/** A name and whether it was written with a tag or digest: a default tag is not what the signer said. */
type Written = Reference & { isBare?: boolean };

function parse(text: string): Written | undefined {
  try {
    const reference = parseReference(text);
    const isBare = !text.includes('@') && !text.slice(text.lastIndexOf('/') + 1).includes(':');
    return { ...reference, isBare };
  } catch {
    return undefined;
  }
}

function same(wanted: Written, signed: Written): boolean {
  return (
    wanted.isBare !== true && signed.isBare !== true && formatReference(wanted) === formatReference(signed)
  );
}

/** An image asked for by digest is that image whatever tag it was signed with. */
function sameOrRepository(asked: Reference, signed: Written): boolean {
  if (signed.isBare === true) return false;
  return asked.tag === undefined ? sameRepository(asked, signed) : same(asked, signed);
}

function sameRepository(one: Reference, other: Reference): boolean {
  return formatRepository(one) === formatRepository(other);
}

/** The name with its prefix replaced; as it is when it has another. */
function remap(asked: Reference, { prefix, signedPrefix }: { prefix: string; signedPrefix: string }) {
  const name = formatRepository(asked);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return asked;
  const mapped = parse(`${signedPrefix}${name.slice(prefix.length)}`);
  return mapped && { ...asked, registry: mapped.registry, repository: mapped.repository };
}
