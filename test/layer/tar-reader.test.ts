import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/layer/inflate.ts';
import { type LayerLimits, layerLimits } from '../../src/layer/limits.ts';
import type { TarEntry } from '../../src/layer/tar-entry.ts';
import { readTar } from '../../src/layer/tar-reader.ts';
import { TAR_END, tarHeader } from '../../src/layer/tar-writer.ts';
import { bytesSource } from '../support/bytes-source.ts';
import {
  buildTar,
  directory,
  file,
  hardlink,
  type Member,
  memberBytes,
  pad,
  symlink,
  withChecksum,
} from '../support/tar-builder.ts';

interface ReadEntry extends TarEntry {
  content: string;
}

function readAll(archive: Buffer, limits: Partial<LayerLimits> = {}): ReadEntry[] {
  const tar = readTar(inflate(bytesSource(archive)).next, layerLimits(limits));
  const entries: ReadEntry[] = [];
  for (let entry = tar.next(); entry !== undefined; entry = tar.next()) {
    const content = Buffer.alloc(entry.size);
    for (let piece = tar.body(); piece !== undefined; piece = tar.body()) piece.copy(content, tar.bodyOffset);
    entries.push({ ...entry, content: content.toString('latin1') });
  }
  return entries;
}

const read = (members: Member[], limits: Partial<LayerLimits> = {}): ReadEntry[] =>
  readAll(buildTar(members), limits);
const base256 = (length: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(length);
  for (let i = length - 1, rest = BigInt.asUintN(8 * length, value); i >= 0; i--, rest >>= 8n)
    bytes[i] = Number(rest & 0xffn);
  bytes[0] = (bytes[0] as number) | 0x80;
  return bytes;
};

describe('reading a tar archive', () => {
  it('gives kinds, names and bodies in order', () => {
    const entries = read([
      directory('d/'),
      file('d/f', 'hello', { mode: 0o4755 }),
      symlink('s', '../x'),
      hardlink('h', 'd/f'),
    ]);
    expect(entries.map(({ kind, path, link, mode, content }) => [kind, path, link, mode, content])).toEqual([
      ['directory', 'd/', '', 0o755, ''],
      ['file', 'd/f', '', 0o4755, 'hello'],
      ['symlink', 's', '../x', 0o777, ''],
      ['hardlink', 'h', 'd/f', 0o644, ''],
    ]);
  });

  it('keeps names that are not UTF-8 byte for byte', () => {
    const [entry] = read([file(Buffer.from('caf\xe9', 'latin1'))]);
    expect(Buffer.from(entry?.path ?? '', 'latin1').toString('hex')).toBe('636166e9');
  });

  it('reads base-256 numbers, negative ones too', () => {
    const [entry] = read([
      file('f', '', {
        raw: [
          [108, base256(8, 3_000_000_000n)],
          [136, base256(12, -5n)],
        ],
      }),
    ]);
    expect(entry).toMatchObject({ uid: 3_000_000_000, mtime: -5 });
    expect(() => read([file('f', '', { raw: [[124, base256(12, -1n)]] })])).toThrow(/negative size/);
    expect(() => read([file('f', '', { raw: [[124, base256(12, 1n << 60n)]] })])).toThrow(/too large/);
  });

  it('reads a file of a time that no clock shows, as Go does, and no size or owner of that kind', () => {
    const at = (offset: number, value: bigint): Member =>
      file('f', '', { raw: [[offset, base256(offset === 136 || offset === 124 ? 12 : 8, value)]] });
    expect(read([at(136, 2n ** 62n)])[0]?.mtime).toBe(Number.MAX_SAFE_INTEGER);
    expect(read([at(136, -(2n ** 62n))])[0]?.mtime).toBe(Number.MIN_SAFE_INTEGER);
    expect(read([file('f', '', { pax: { mtime: '9223372036854775807.5' } })])[0]?.mtime).toBe(
      Number.MAX_SAFE_INTEGER,
    );
    for (const offset of [108, 124]) {
      expect(() => read([at(offset, 2n ** 60n)])).toThrow(expect.objectContaining({ code: 'LAYER_INVALID' }));
    }
  });

  it('gives the last of several long names, and PAX over ustar', () => {
    const long = (name: string): Member => ({ name: '././@LongLink', type: 'L', content: `${name}\0` });
    expect(read([long('one'), long('two'), file('short')]).map(({ path }) => path)).toEqual(['two']);
    expect(read([file('short', '', { pax: { path: 'long/name' } })]).map(({ path }) => path)).toEqual([
      'long/name',
    ]);
  });

  it('believes nothing a global header says', () => {
    const global: Member = { name: 'pax_global_header', type: 'g', content: '16 path=../evil\n' };
    expect(read([global, file('f', 'x')]).map(({ path }) => path)).toEqual(['f']);
  });

  it('skips the body of what has none', () => {
    const odd = withChecksum(memberBytes(directory('d/')).subarray(0, 512));
    odd.write('00000000777', 124);
    expect(
      readAll(Buffer.concat([withChecksum(odd), memberBytes(file('f', 'x')), TAR_END])).map(
        ({ path }) => path,
      ),
    ).toEqual(['d/', 'f']);
  });

  it('gives a v7 directory no body either, so that what follows is an entry, as in Go', () => {
    const v7 = memberBytes({ name: 'd/', type: '\0' }).subarray(0, 512);
    v7.fill(0, 257, 512).write('00000000777', 124);
    const entries = readAll(Buffer.concat([withChecksum(v7), memberBytes(file('f', 'x')), TAR_END]));
    expect(entries.map(({ kind, path, size }) => [kind, path, size])).toEqual([
      ['directory', 'd/', 0],
      ['file', 'f', 1],
    ]);
  });

  it('refuses a sparse file of less than no bytes, which would make room for others in the limit', () => {
    const pax = { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.size': '-1000' };
    const old = memberBytes(file('s', '', { type: 'S' }));
    old.fill(0, 257, 512).write('ustar  \0', 257, 'latin1');
    base256(12, -1000n).copy(old, 483);
    for (const archive of [buildTar([file('s', '', { pax })]), Buffer.concat([withChecksum(old), TAR_END])]) {
      expect(() => readAll(archive)).toThrow(expect.objectContaining({ code: 'LAYER_INVALID' }));
    }
  });

  it('reads on behind the end mark but finds nothing there', () => {
    expect(
      readAll(Buffer.concat([buildTar([file('f')]), buildTar([file('g')])])).map(({ path }) => path),
    ).toEqual(['f']);
  });

  it.each([
    ['text', Buffer.alloc(2048, 'this is no tar\n'), 'LAYER_INVALID'],
    ['half a header', memberBytes(file('f')).subarray(0, 300), 'LAYER_INVALID'],
    ['half a body', memberBytes(file('f', 'x'.repeat(900))).subarray(0, 1200), 'LAYER_INVALID'],
    ['a single empty block', Buffer.concat([Buffer.alloc(512), memberBytes(file('f'))]), 'LAYER_INVALID'],
    ['an unknown type', buildTar([file('f', '', { type: 'Q' })]), 'LAYER_INVALID'],
    [
      'a huge PAX header',
      buildTar([{ name: 'x', type: 'x', content: 'x'.repeat((1 << 20) + 1) }]),
      'LIMIT_EXCEEDED',
    ],
    [
      'a huge long name',
      buildTar([{ name: 'x', type: 'L', content: 'x'.repeat((1 << 20) + 1) }]),
      'LIMIT_EXCEEDED',
    ],
  ])('refuses %s', (_, archive, code) => {
    expect(() => readAll(archive)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a PAX header that claims more than there is', () => {
    const header = memberBytes({ name: 'x', type: 'x' });
    header.write('00077777777', 124);
    expect(() => readAll(Buffer.concat([withChecksum(header), Buffer.alloc(512)]))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });

  it('stops at the limits of entries and bytes', () => {
    const members = [file('a', 'xxx'), file('b', 'xxx'), file('c', 'xxx')];
    expect(() => read(members, { entries: 2 })).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    expect(() => read(members, { bytes: 8 })).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    expect(read(members, { entries: 3, bytes: 9 })).toHaveLength(3);
  });

  it('refuses sparse maps that overlap, run over the end or do not fit the body', () => {
    const sparse = (map: string, size: string, content: string): Member =>
      file('s', content, {
        pax: {
          'GNU.sparse.major': '0',
          'GNU.sparse.minor': '1',
          'GNU.sparse.map': map,
          'GNU.sparse.size': size,
        },
      });
    expect(read([sparse('2,3,8,1', '10', 'abcd')])[0]?.content).toBe('\0\0abc\0\0\0d\0');
    for (const [map, size] of [
      ['2,3,4,1', '10'],
      ['2,3,9,2', '10'],
      ['2,2', '10'],
      ['5,4,0,0', '10'],
      ['1', '10'],
      ['-1,4', '10'],
    ]) {
      expect(() => read([sparse(map as string, size as string, 'abcd')]), map).toThrow(
        expect.objectContaining({ code: 'LAYER_INVALID' }),
      );
    }
  });

  it('never fails but with an error of its own, whatever the header', () => {
    const valid = memberBytes(file('some/name', 'x', { mode: 0o644 })).subarray(0, 512);
    const damage = fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { maxLength: 20 });
    fc.assert(
      fc.property(damage, (changes) => {
        const header = Buffer.from(valid);
        for (const [at, value] of changes) header[at] = value;
        try {
          readAll(Buffer.concat([withChecksum(header), Buffer.alloc(4096)]), { bytes: 1 << 20 });
        } catch (error) {
          expect(error).toMatchObject({ name: 'OciError' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

const byteString = (size: { minLength?: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 1, max: 255 }), size).map((bytes) => Buffer.from(bytes).toString('latin1'));

describe('writing tar headers', () => {
  it('gives back what went in, whatever the names, numbers and attributes', () => {
    const entry: fc.Arbitrary<TarEntry> = fc.record({
      kind: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo'),
      path: fc.oneof(
        byteString({ minLength: 1, maxLength: 12 }),
        byteString({ minLength: 90, maxLength: 400 }),
      ),
      link: fc.oneof(
        byteString({ minLength: 1, maxLength: 12 }),
        byteString({ minLength: 90, maxLength: 400 }),
      ),
      mode: fc.nat(0o7777),
      uid: fc.oneof(fc.nat(5000), fc.nat(0xffff_fffe)),
      gid: fc.oneof(fc.nat(5000), fc.nat(0xffff_fffe)),
      mtime: fc.oneof(fc.nat(2 ** 31 - 1), fc.integer({ min: -(2 ** 36), max: 2 ** 36 })),
      mtimeNanos: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
      size: fc.oneof(fc.nat(1000), fc.constant(0o77777777777 + 1)),
      major: fc.nat(0xfff),
      minor: fc.nat(0xfffff),
      xattrs: fc.option(
        fc
          .dictionary(fc.stringMatching(/^user\.[a-z]{1,8}$/), fc.uint8Array({ maxLength: 40 }), {
            minKeys: 1,
          })
          .map((d) => new Map(Object.entries(d))),
        { nil: undefined },
      ),
      sparse: fc.constant(undefined),
    });
    fc.assert(
      fc.property(entry, (written) => {
        const isLink = written.kind === 'symlink' || written.kind === 'hardlink';
        const isDevice = written.kind === 'char' || written.kind === 'block';
        const expected: TarEntry = {
          ...written,
          link: isLink ? written.link : '',
          size: written.kind === 'file' ? written.size : 0,
          major: isDevice ? written.major : 0,
          minor: isDevice ? written.minor : 0,
        };
        const header = tarHeader(expected);
        const tar = readTar(
          inflate(bytesSource(Buffer.concat([header, pad(Buffer.alloc(1))]))).next,
          layerLimits(),
        );
        const found = tar.next();
        expect(found && { ...found, xattrs: found.xattrs && Object.fromEntries(found.xattrs) }).toEqual({
          ...expected,
          xattrs: expected.xattrs && Object.fromEntries(expected.xattrs),
        });
      }),
      { numRuns: 500 },
    );
  });
});
