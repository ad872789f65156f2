// Which tags sync takes: names, globs, ranges of versions, and the newest of them.
import { describe, expect, it } from 'vitest';
import { chooseTags, needsList } from '../../src/client/sync-tags.ts';

const there = [
  'latest',
  '3',
  '3.18',
  '3.18.0',
  '3.18.12',
  '3.2',
  '3.20',
  '3.20.1-slim',
  '4.0-rc1',
  'v3.19.1',
  '24.04',
  'edge',
];

function choose(tags: string[], semver?: string, limit?: number): string[] {
  return chooseTags(there, { tags, semver, limit });
}

describe('tags', () => {
  it('as they are, in their order, without a list', () => {
    expect(needsList({ tags: ['b', 'a'], semver: undefined, limit: 1 })).toBe(false);
    expect(chooseTags([], { tags: ['b', 'a', 'b'], semver: undefined, limit: 1 })).toEqual(['b', 'a']);
  });
  it('by glob, highest version first', () => {
    expect(choose(['3.18*'])).toEqual(['3.18.12', '3.18.0', '3.18']);
    expect(choose(['{latest,edge}'])).toEqual(['latest', 'edge']);
  });
  it('by range; 3.20 is 3.20.0, a v in front is nothing, a suffix is a pre-release', () => {
    expect(choose([], '>=3.18 <4')).toEqual(['3.20', 'v3.19.1', '3.18.12', '3.18.0', '3.18']);
    expect(choose([], '>=4.0.0-0 <5')).toEqual(['4.0-rc1']);
    expect(choose([], '24.x')).toEqual(['24.04']);
  });
  it('the newest only; names as they are beside them', () => {
    expect(choose(['latest', '3.*'], undefined, 2)).toEqual(['latest', '3.20.1-slim', '3.20']);
    expect(choose([], '3.x', 1)).toEqual(['3.20']);
  });
  it('never the list of referrers, which is another one in the target; cosign’s are tags like others', () => {
    const list = `sha256-${'0'.repeat(64)}`;
    const all = ['1', list, `${list}.sig`];
    const choice = { tags: ['*'], semver: undefined, limit: undefined };
    expect(chooseTags(all, choice).sort()).toEqual(['1', `${list}.sig`]);
  });
  it('none when none fits', () => {
    expect(choose(['9.*'], '>=99')).toEqual([]);
  });
});
