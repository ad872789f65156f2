// The grammar of image names, as distribution/reference defines it: what a host, a repository path, a tag may be.
// Text is cut by hand at `@`, `:` and `/` and each part matched alone, so no pattern here can backtrack over a whole name.

const HOST_PART = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const DOMAIN = new RegExp(`^(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH_PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const IDENTIFIER = /^[a-f0-9]{64}$/;

/** Characters of the longest repository path a registry must take (distribution/reference). */
export const MAX_REPOSITORY_LENGTH = 255;

/** True for `host`, `host:port`, `[v6]:port`, by grammar alone. */
export function isDomain(text: string): boolean {
  return DOMAIN.test(text);
}

/** True for a repository path such as `library/alpine`, by grammar alone (its length is not looked at). */
export function isRepositoryPath(text: string): boolean {
  return text.split('/').every((part) => PATH_PART.test(part));
}

/** True for a tag (distribution-spec, pull: `<reference>`). */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True for 64 lower-case hexadecimal digits, which docker keeps for image IDs. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** The parts of `name[:tag][@digest]`, uninspected; a part is undefined when its separator is missing. */
export interface ReferenceParts {
  name: string;
  tag: string | undefined;
  digest: string | undefined;
}

/** Cuts a reference at its separators. A colon belongs to a tag only after the last slash: before it, it is a port's. */
export function splitReference(text: string): ReferenceParts {
  const [rest, digest] = cut(text, text.indexOf('@'));
  const colon = rest.lastIndexOf(':');
  const [name, tag] = cut(rest, colon > rest.lastIndexOf('/') ? colon : -1);
  return { name, tag, digest };
}

function cut(text: string, at: number): [string, string | undefined] {
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
