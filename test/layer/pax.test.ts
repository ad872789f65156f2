import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePax, paxTime } from '../../src/layer/pax.ts';
import { paxTimeText } from '../../src/layer/tar-writer.ts';
import { paxRecord } from '../support/tar-builder.ts';

const records = (...pairs: Array<[string, string | Buffer]>): Buffer =>
  Buffer.concat(pairs.map(([key, value]) => paxRecord(key, Buffer.from(value))));

describe('PAX records', () => {
  it('overrule names, numbers and times', () => {
    const body = records(
      ['path', 'a/é'],
      ['linkpath', 'b'],
      ['size', '0000123'],
      ['uid', '4000000000'],
      ['gid', '7'],
      ['mtime', '-1.25'],
    );
    expect(parsePax(body)).toEqual({
      path: Buffer.from('a/é').toString('latin1'),
      linkpath: 'b',
      size: 123,
      uid: 4_000_000_000,
      gid: 7,
      mtime: { seconds: -2, nanos: 750_000_000 },
    });
  });

  it('may have a plus in front of a time, as in front of any number', () => {
    expect(parsePax(records(['mtime', '+1.5'], ['uid', '+7']))).toEqual({
      mtime: { seconds: 1, nanos: 500_000_000 },
      uid: 7,
    });
  });

  it('an empty value takes an earlier one back', () => {
    expect(parsePax(records(['path', 'a'], ['path', '']))).toEqual({});
  });

  it('keep any bytes of an extended attribute, however it is written', () => {
    const value = Buffer.from([1, 0, 0, 2, 10, 61, 255]);
    const schily = parsePax(records(['SCHILY.xattr.security.capability', value]));
    expect(schily.xattrs?.get('security.capability')).toEqual(Uint8Array.from(value));
    const libarchive = parsePax(records(['LIBARCHIVE.xattr.user.a%3Db', value.toString('base64')]));
    expect(libarchive.xattrs?.get('user.a=b')).toEqual(Uint8Array.from(value));
  });

  it.each([
    ['no length', Buffer.from('path=a\n')],
    ['a length of zero', Buffer.from('0 path=a\n')],
    ['a length beyond the end', Buffer.from('90 path=a\n')],
    ['a length that ends before its newline', Buffer.from('8 path=a\n')],
    ['an absurd length', Buffer.from(`${'9'.repeat(300)} path=a\n`)],
    ['no equals sign', Buffer.from('8 path\n\n')],
    ['no key', Buffer.from('5 =a\n')],
    ['a NUL in a name', records(['path', 'a\0b'])],
    ['a NUL in the name of a sparse file', records(['GNU.sparse.name', 'a\0b/c'])],
    ['a NUL in a key', records(['SCHILY.xattr.a\0b', 'x'])],
    ['a size that is no number', records(['size', '12x'])],
    ['a time that is no number', records(['mtime', '1e5'])],
    ['a lone sparse offset', records(['GNU.sparse.offset', '1'])],
    ['sparse lengths first', records(['GNU.sparse.numbytes', '1'], ['GNU.sparse.offset', '1'])],
  ])('refuse %s', (_, body) => {
    expect(() => parsePax(body)).toThrow(expect.objectContaining({ code: 'LAYER_INVALID' }));
  });

  it('never fail but with LAYER_INVALID, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parsePax(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'LAYER_INVALID' });
        }
      }),
    );
  });

  it('read any attribute back as it was written', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z.]{1,20}$/), fc.uint8Array({ maxLength: 300 })),
        (xattrs) => {
          const body = records(
            ...Object.entries(xattrs).map(([k, v]): [string, Buffer] => [
              `SCHILY.xattr.${k}`,
              Buffer.from(v),
            ]),
          );
          expect(Object.fromEntries(parsePax(body).xattrs ?? [])).toEqual({ ...xattrs });
        },
      ),
    );
  });

  it('times are exact to the nanosecond, before 1970 too', () => {
    const time = fc.record({
      seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      nanos: fc.integer({ min: 0, max: 999_999_999 }),
    });
    fc.assert(
      fc.property(time, (exact) => {
        expect(paxTime(paxTimeText(exact.seconds, exact.nanos))).toEqual(exact);
      }),
    );
  });
});
