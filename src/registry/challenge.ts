// Reads `WWW-Authenticate` (RFC 9110, 11.6.1): several headers, several schemes in one header, quoted commas, escapes.

/** One challenge; scheme and parameter names in lower case. */
export interface Challenge {
  scheme: string;
  params: Readonly<Record<string, string>>;
}

/** RFC 9110's `token`. */
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const BLANKS = /[ \t]*/y;
/** A parameter value without quotes; wider than the grammar, as servers send `realm=/`. */
const BARE_VALUE = /[^\s,"]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * The challenges of all `WWW-Authenticate` headers, in order. Lenient: a parameter without a value is dropped, a name or
 * scheme may be quoted; a header that cannot be read (an open quote) gives none.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap((header) => parseHeader(header) ?? []);
}

/** The challenge to answer: Bearer with a realm before Basic; undefined when there is neither. */
export function pickChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  return (
    challenges.find(({ scheme, params }) => scheme === 'bearer' && Boolean(params.realm)) ??
    challenges.find(({ scheme }) => scheme === 'basic')
  );
}

/**
 * The scope a registry says our token lacks (RFC 6750, 3.1); undefined when it says no such thing. Only a scope of three
 * parts can be asked for again (c/image: registry.suse.com's catalog).
 */
export function insufficientScope(challenges: readonly Challenge[]): string | undefined {
  const challenge = challenges.find(({ scheme }) => scheme === 'bearer');
  const { error, scope = '' } = challenge?.params ?? {};
  const wellFormed = scope.split(' ').every((part) => part.split(':').length >= 3);
  return error === 'insufficient_scope' && wellFormed ? scope : undefined;
}

function parseHeader(header: string): Challenge[] | undefined {
  const challenges: Challenge[] = [];
  let params: Record<string, string> | undefined;
  let at = 0;

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  }

  /** A scheme or parameter name, quoted by some (regclient's `"Basic" "realm"=/`). */
  function takeName(): string | undefined {
    return (take(TOKEN)?.[0] ?? unquote(take(QUOTED)?.[1]))?.toLowerCase();
  }

  while (true) {
    take(BLANKS);
    if (header[at] === ',') {
      at += 1;
      continue;
    }
    if (at >= header.length) return challenges;
    const name = takeName();
    if (name === undefined) return undefined;
    take(BLANKS);
    if (header[at] === '=' && params !== undefined) {
      at += 1;
      take(BLANKS);
      if (header[at] === '"') {
        const quoted = take(QUOTED);
        if (quoted === undefined) return undefined;
        setParameter(params, name, unquote(quoted[1]) as string);
      } else {
        const bare = take(BARE_VALUE)?.[0];
        if (bare !== undefined) setParameter(params, name, bare);
      }
      continue;
    }
    params = Object.create(null) as Record<string, string>;
    challenges.push({ scheme: name, params });
    take(TOKEN68);
  }
}

/** The first of two parameters of one name counts. */
function setParameter(params: Record<string, string>, name: string, value: string): void {
  params[name] ??= value;
}

function unquote(quoted: string | undefined): string | undefined {
  return quoted?.replace(/\\(.)/gs, '$1');
}
