// How the command line names a place with an image in it: a plain name, docker://, and skopeo's file transports.
import { OciError } from '../errors.ts';
import { parseDigest } from '../reference/digest.ts';
import { parseReference, type Reference } from '../reference/reference.ts';
import type { ImageSelector } from './archive.ts';

/** A parsed IMAGE argument. */
export type ImageName =
  /** The local store if it has it, else the registry. */
  | { transport: 'store-or-registry'; reference: Reference }
  | { transport: 'docker'; reference: Reference }
  | { transport: 'oci' | 'oci-archive' | 'docker-archive'; path: string; selector: ImageSelector };

const REGISTRY = 'docker://';
const BOX = /^(oci|oci-archive|docker-archive):(.*)$/s;
const DIGEST_SUFFIX = /@((?:sha256|sha384|sha512):[^@:/]*)$/;

/** What a command that only ever asks registries was given: the name, with or without `docker://`. */
export function registryName(text: string): string {
  return text.startsWith(REGISTRY) ? text.slice(REGISTRY.length) : text;
}

/**
 * Parses IMAGE. In `oci:DIR[:TAG]` the first colon ends the path, as in skopeo, so that TAG may be a whole name with
 * colons of its own; `docker:dind` has no `//` and is an image of Docker Hub.
 * Throws INVALID_REFERENCE, INVALID_DIGEST, USAGE.
 */
export function parseImageSource(text: string): ImageName {
  if (text.startsWith(REGISTRY))
    return { transport: 'docker', reference: parseReference(registryName(text)) };
  const [, transport, rest] = BOX.exec(text) ?? [];
  if (transport === undefined || rest === undefined) {
    return { transport: 'store-or-registry', reference: parseReference(text) };
  }
  const selector: ImageSelector = {};
  const suffix = DIGEST_SUFFIX.exec(rest);
  if (suffix?.[1] !== undefined) selector.digest = parseDigest(suffix[1]);
  const named = suffix === null ? rest : rest.slice(0, suffix.index);
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? '' : named.slice(colon + 1);
  if (tag !== '') selector.tag = tag;
  if (path === '') {
    throw new OciError('USAGE', `no path in ${JSON.stringify(text.slice(0, 300))}`, {
      hint: `write ${transport}:${transport === 'oci' ? 'DIR' : 'FILE'}[:NAME][@DIGEST]`,
    });
  }
  return { transport: transport as 'oci' | 'oci-archive' | 'docker-archive', path, selector };
}
