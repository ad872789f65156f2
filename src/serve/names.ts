// Which name of the store a repository and tag of the API stand for when something is written: the one that typing it
// would (`alpine` is docker.io/library/alpine, `ghcr.io/a/b` is itself).
import { isOciError } from '../errors.ts';
import { formatRepository, parseReference, type Reference } from '../reference/reference.ts';
import { Refusal } from './answer.ts';

/** The repository in full, as the store writes it. Throws `Refusal`. */
export function storeRepository(name: string): string {
  return formatRepository(parse(name));
}

/** The store's reference for a tag of a repository. Throws `Refusal`. */
export function storeReference(name: string, tag: string): Reference {
  return parse(`${name}:${tag}`);
}

function parse(text: string): Reference {
  try {
    return parseReference(text);
  } catch (error) {
    if (isOciError(error)) throw new Refusal(400, 'NAME_INVALID', error.message);
    throw error;
  }
}
