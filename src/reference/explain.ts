// Why a text is no image name, in words that help: only looked at after the grammar refused it.
import { isDigest } from './digest.ts';
import {
  isDomain,
  isIdentifier,
  isRepositoryPath,
  isTag,
  MAX_REPOSITORY_LENGTH,
  splitReference,
} from './grammar.ts';

/** What is wrong, and what to write instead. */
export interface Explanation {
  reason: string;
  hint: string;
}

const EXAMPLE = 'a name looks like alpine, alpine:3.20, ghcr.io/owner/app:1.0 or NAME@sha256:…';

/** What a tag may be, in words. */
export const TAG_HINT = 'a tag is 1 to 128 letters, digits, _ . or -, and does not begin with . or -';

// Longer than host, repository, tag and digest can be together; what follows may quote the text whole.
const LONGEST = 1000;

/** The first thing that is wrong with `text` as an image name. */
export function explainReference(text: string): Explanation {
  return explainWhole(text) ?? explainParts(text);
}

function explainWhole(text: string): Explanation | undefined {
  if (text === '') return { reason: 'it is empty', hint: EXAMPLE };
  if (text.length > LONGEST) return { reason: `it has ${text.length} characters`, hint: EXAMPLE };
  if (/\s/.test(text)) return { reason: 'it has white space in it', hint: `write it without: ${EXAMPLE}` };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme !== null) {
    return {
      reason: `${scheme[0]} is not part of a name`,
      // user:password@ goes too, but in alpine@sha256:… the @ is the digest's
      hint: `write ${text.slice(scheme[0].length).replace(/^[^/@]*@(?!sha\d+:)/, '')}`,
    };
  }
  if (isIdentifier(text)) {
    return {
      reason: '64 hexadecimal digits are an ID, not a name',
      hint: `to name an image by its digest write NAME@sha256:${text}`,
    };
  }
  if (isDigest(text)) {
    return { reason: 'a digest alone does not say where the image is', hint: `write NAME@${text}` };
  }
  return undefined;
}

function explainParts(text: string): Explanation {
  const { name, tag, digest } = splitReference(text);
  return (
    explainName(name) ??
    explainTag(tag) ??
    explainDigest(digest) ?? { reason: 'it does not follow the grammar of image names', hint: EXAMPLE }
  );
}

function explainName(name: string): Explanation | undefined {
  if (name === '') return { reason: 'there is no name before the tag or digest', hint: EXAMPLE };
  const slash = name.indexOf('/');
  if (slash === -1) return explainPath(name, name);
  const [first, rest] = [name.slice(0, slash), name.slice(slash + 1)];
  if ((first.match(/:/g)?.length ?? 0) > 1 && !first.startsWith('[')) {
    return {
      reason: `${first} is not a host`,
      hint: `an IPv6 address stands in brackets: [${first}]/${rest}`,
    };
  }
  if (/[.:[\]]/.test(first) || first === 'localhost' || first !== first.toLowerCase()) {
    return explainPath(rest, name) ?? explainHost(first);
  }
  return explainPath(name, name);
}

function explainHost(host: string): Explanation {
  if (isDomain(host) && /:\d+$/.test(host) && Number(/\d+$/.exec(host)![0]) > 65535) {
    return { reason: `${host} is not a host: its port is over 65535`, hint: 'write a port from 1 to 65535' };
  }
  return {
    reason: `${host} is not a host`,
    hint: 'a registry is a host name of letters, digits, dots and dashes, with an optional :port',
  };
}

function explainPath(path: string, name: string): Explanation | undefined {
  if (path.length > MAX_REPOSITORY_LENGTH) {
    return {
      reason: `the repository is longer than ${MAX_REPOSITORY_LENGTH} characters`,
      hint: 'shorten it',
    };
  }
  if (isRepositoryPath(path)) return undefined;
  if (isRepositoryPath(path.toLowerCase())) {
    const lower = name.slice(0, name.length - path.length) + path.toLowerCase();
    return { reason: 'a repository is lower case', hint: `did you mean ${lower}?` };
  }
  if (path.split('/').includes('')) {
    return { reason: 'it has an empty component between slashes', hint: EXAMPLE };
  }
  return {
    reason: `${path} is not a repository`,
    hint: 'each component is lower-case letters and digits, with single . or _ or any - between them',
  };
}

function explainTag(tag: string | undefined): Explanation | undefined {
  if (tag === undefined || isTag(tag)) return undefined;
  return {
    reason: tag === '' ? 'there is no tag after the colon' : `${tag.slice(0, 200)} is not a tag`,
    hint: TAG_HINT,
  };
}

function explainDigest(digest: string | undefined): Explanation | undefined {
  if (digest === undefined || isDigest(digest)) return undefined;
  return {
    reason: 'what follows the @ is not a digest',
    hint: 'a digest looks like sha256: and 64 lower-case hexadecimal digits',
  };
}
