// USER: names by the image's files, numbers without them, as Docker does.
import { describe, expect, it } from 'vitest';
import { MAX_ACCOUNTS_BYTES, resolveUser } from '../../../src/runner/spec/user.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
app:x:1000:1001:An App:/home/app:/bin/sh
1234:x:77:77::/odd:/bin/sh
nohome:x:5:6
# comment:x:9:9
broken:x:abc:1::/:
+::::::
`;
const GROUP = 'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\ndocker:x:999:other\n';

describe('resolveUser', () => {
  it.each([
    ['', { uid: 0, gid: 0, additionalGids: [], home: '/root' }],
    ['root', { uid: 0, gid: 0, additionalGids: [10], home: '/root' }],
    ['0', { uid: 0, gid: 0, additionalGids: [10], home: '/root' }],
    ['app', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    ['app:audio', { uid: 1000, gid: 29, additionalGids: [], home: '/home/app' }],
    ['app:12', { uid: 1000, gid: 12, additionalGids: [], home: '/home/app' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [], home: '/' }],
    ['4242:4343', { uid: 4242, gid: 4343, additionalGids: [], home: '/' }],
    [':audio', { uid: 0, gid: 29, additionalGids: [], home: '/root' }],
    ['app:', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    ['nohome', { uid: 5, gid: 6, additionalGids: [], home: '/' }],
    // A number is an id, even where somebody is called so.
    ['1234', { uid: 1234, gid: 0, additionalGids: [], home: '/' }],
  ])('%j', (spec, expected) => {
    const resolved = resolveUser(spec, PASSWD, GROUP);
    // Docker looks for root's groups too; an empty USER is root.
    expect(resolved).toEqual(spec === '' ? { ...expected, additionalGids: [10] } : expected);
  });

  it('needs no files for numbers', () => {
    expect(resolveUser('12:13', '', '')).toEqual({ uid: 12, gid: 13, additionalGids: [], home: '/' });
    expect(resolveUser('', '', '')).toEqual({ uid: 0, gid: 0, additionalGids: [], home: '/' });
  });

  it.each([
    ['ap', 'did you mean app?'],
    ['somebody', 'root, app'],
    ['app:whel', 'did you mean wheel?'],
  ])('does not know %s', (spec, hint) => {
    expect(() => resolveUser(spec, PASSWD, GROUP)).toThrow(
      expect.objectContaining({ code: 'USER_NOT_FOUND', hint: expect.stringContaining(hint) }),
    );
  });

  it('tells of an image without users', () => {
    expect(() => resolveUser('app', '', '')).toThrow(
      expect.objectContaining({
        code: 'USER_NOT_FOUND',
        hint: 'the image has no /etc/passwd; give a number',
      }),
    );
  });

  it.each(['-1', '4294967295', '2147483648', '0:-1'])(
    'refuses %s: the kernel or programs would read it otherwise',
    (spec) => {
      expect(() => resolveUser(spec, PASSWD, GROUP)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it('does not take a line for root whose id is out of range', () => {
    expect(() => resolveUser('big', 'big:x:4294967296:0::/:\n', '')).toThrow(
      expect.objectContaining({ code: 'USER_NOT_FOUND' }),
    );
  });

  it('refuses files that have been grown', () => {
    expect(() => resolveUser('app', 'x'.repeat(MAX_ACCOUNTS_BYTES + 1), '')).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });
});
