// Which tags of a repository `sync` takes. Brings in semver, so it is loaded only by a sync.
import { matchesGlob } from 'node:path';
import semver from 'semver';

/** A choice of tags; what any part of it chooses is taken. */
export interface TagChoice {
  /** Tags as they are, and globs. */
  tags: string[];
  /** A range of versions, as npm writes them. */
  semver: string | undefined;
  /** Of what globs and the range choose, only so many: the highest versions. */
  limit: number | undefined;
}

const GLOB = /[*?[\]{}!]/;
/** `v1.2.3`, `3.20`, `24.04-slim`: up to three numbers, and what makes it a pre-release. */
const VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:[-+.](.+))?$/;

/** The list of referrers of an image (distribution-spec, referrers tag schema): written by whoever writes those. */
const REFERRERS_TAG = /^sha(?:256|384|512)-[a-f0-9]{64}$/;

/** True when the tags have to be listed to choose. */
export function needsList({ tags, semver: range }: TagChoice): boolean {
  return range !== undefined || tags.some((tag) => GLOB.test(tag));
}

/**
 * The tags chosen: those named as they are in the order they are named, then the others, highest version first. What
 * follows the numbers of a version makes it a pre-release (`3.20-slim`), which ranges leave out unless they name one of it.
 */
export function chooseTags(there: readonly string[], choice: TagChoice): string[] {
  const exact = choice.tags.filter((tag) => !GLOB.test(tag));
  const globs = choice.tags.filter((tag) => GLOB.test(tag));
  if (!needsList(choice)) return [...new Set(exact)];
  const { semver: range } = choice;
  const versions = new Map(there.map((tag) => [tag, versionOf(tag)]));
  const chosen = there.filter((tag) => {
    if (REFERRERS_TAG.test(tag)) return false;
    const version = versions.get(tag);
    const inRange = range !== undefined && version !== undefined && semver.satisfies(version, range);
    return inRange || globs.some((glob) => matchesGlob(tag, glob));
  });
  const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'variant' });
  chosen.sort((a, b) => {
    const [left, right] = [versions.get(a), versions.get(b)];
    if (left !== undefined && right !== undefined)
      return semver.compare(right, left) || natural.compare(b, a);
    if (left === undefined && right === undefined) return natural.compare(b, a);
    return left === undefined ? 1 : -1;
  });
  return [...new Set([...exact, ...chosen.slice(0, choice.limit)])];
}

/** In the form semver compares; undefined for `latest` and the like. */
function versionOf(tag: string): string | undefined {
  const [, major, minor = '0', patch = '0', rest] = VERSION.exec(tag) ?? [];
  if (major === undefined) return undefined;
  const numbers = [major, minor, patch].map(Number).join('.');
  // Dots may stand anywhere in a tag, and zeros in front of its numbers; semver has rules for both.
  const suffix = rest
    ?.split(/[.\-_+]/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? String(Number(part.slice(0, 15))) : part));
  return suffix === undefined || suffix.length === 0 ? numbers : `${numbers}-${suffix.join('.')}`;
}
