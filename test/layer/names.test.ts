import { describe, expect, it } from 'vitest';
import { cleanPath } from '../../src/layer/entry-path.ts';
import { isAufsMetadata, whiteoutOf } from '../../src/layer/whiteout.ts';

describe('names in a layer', () => {
  it.each([
    ['a/b', 'a/b'],
    ['./a', 'a'],
    ['/a', 'a'],
    ['a/', 'a'],
    ['a//b', 'a/b'],
    ['a/./b', 'a/b'],
    ['a/../b', 'b'],
    ['../a', 'a'],
    ['../../..', ''],
    ['/', ''],
    ['./', ''],
    ['', ''],
    ['..a/b..', '..a/b..'],
    ['.a', '.a'],
    ['a\nb', 'a\nb'],
  ])('%j becomes %j', (written, clean) => {
    expect(cleanPath(written)).toBe(clean);
  });

  it('whiteouts are told from names that look like them', () => {
    expect(whiteoutOf('.wh.x')).toEqual({ kind: 'name', name: 'x' });
    expect(whiteoutOf('.wh..x')).toEqual({ kind: 'name', name: '.x' });
    expect(whiteoutOf('.wh..wh..opq')).toEqual({ kind: 'opaque' });
    expect(whiteoutOf('.wh')).toBeUndefined();
    expect(whiteoutOf('x.wh.y')).toBeUndefined();
    expect(whiteoutOf('.wh..wh.plnk')).toBeUndefined();
    expect(isAufsMetadata('.wh..wh.plnk')).toBe(true);
    expect(isAufsMetadata('.wh..wh..opq')).toBe(false);
  });

  it.each(['.wh.', '.wh..', '.wh...'])('refuses %j, which names nothing', (base) => {
    expect(() => whiteoutOf(base)).toThrow(expect.objectContaining({ code: 'LAYER_REFUSED' }));
  });
});
