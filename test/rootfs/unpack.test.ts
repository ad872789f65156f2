import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { writeLayers } from '../support/layers.ts';
import {
  buildTar,
  buildTarGz,
  directory,
  file,
  hardlink,
  type Member,
  symlink,
} from '../support/tar-builder.ts';

let work: string;
let home: string;
let root: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'unpack-'));
  home = join(work, 'home');
  root = join(home, 'rootfs');
  mkdirSync(home);
});
afterEach(() => removeTree(work));

const isRoot = process.geteuid?.() === 0;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const layers = (...stack: Array<Member[] | Buffer>) => writeLayers(work, stack);

describe('unpacking', () => {
  it("checks the diff ID where the config has one, and gzip's own checksum where it has not", async () => {
    const tar = buildTar([file('a', 'one')]);
    const blob = gzipSync(tar);
    blob[blob.length - 8] = (blob[blob.length - 8] as number) ^ 1;
    const [layer] = layers(blob);
    if (layer === undefined) throw new Error('no layer');
    await expect(unpack([layer], root)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    await expect(unpack([{ ...layer, diffId: digestOf(blob.subarray(1)) }], root)).rejects.toMatchObject({
      code: 'DIFF_ID_MISMATCH',
    });
    await unpack([{ ...layer, diffId: digestOf(tar) }], root);
    expect(read('a')).toBe('one');
  });

  it('lays layers of any compression over each other and tells of each', async () => {
    const tars = [
      [file('a', 'one'), file('b', 'one')],
      [file('b', 'two')],
      [file('.wh.a'), file('c', 'three')],
    ].map((m) => buildTar(m));
    const stack = layers(tars[0] as Buffer, gzipSync(tars[1] as Buffer), zstdCompressSync(tars[2] as Buffer));
    const events: ProgressEvent[] = [];
    const result = await unpack(stack, root, { verifyBlob: true, onProgress: (event) => events.push(event) });
    expect([readdirSync(root).sort(), read('b'), read('c')]).toEqual([['b', 'c'], 'two', 'three']);
    expect(result.layers).toEqual(
      [
        ['none', 2, 2],
        ['gzip', 1, 1],
        ['zstd', 2, 1],
      ].map(([compression, entries, files], i) => ({
        digest: stack[i]?.descriptor.digest,
        diffId: digestOf(tars[i] as Buffer),
        compression,
        unpackedSize: tars[i]?.length,
        entries,
        files,
      })),
    );
    expect(events.filter(({ type }) => type === 'unpacked')).toHaveLength(3);
    expect(readdirSync(home)).toEqual(['rootfs']);
  });

  it('unpacks no layers at all to an empty directory', async () => {
    await unpack([], root);
    expect(readdirSync(root)).toEqual([]);
  });

  it('keeps modes, times to the nanosecond and before 1970, and sparse files sparse', async () => {
    const map = {
      'GNU.sparse.major': '0',
      'GNU.sparse.minor': '1',
      'GNU.sparse.map': '1048576,2',
      'GNU.sparse.size': '4194304',
    };
    await unpack(
      layers([
        directory('d/', { mode: 0o2750, pax: { mtime: '1000000000.123456789' } }),
        file('d/f', 'x', { mode: 0o4711, pax: { mtime: '-1.5' } }),
        file('sparse', 'hi', { pax: map }),
      ]),
      root,
    );
    const d = statSync(join(root, 'd'), { bigint: true });
    const f = statSync(join(root, 'd/f'), { bigint: true });
    expect([d.mode & 0o7777n, d.mtimeNs]).toEqual([0o2750n, 1_000_000_000_123_456_789n]);
    expect([f.mode & 0o7777n, f.mtimeNs]).toEqual([0o4711n, -1_500_000_000n]);
    const sparse = readFileSync(join(root, 'sparse'));
    expect([sparse.length, sparse.indexOf('hi')]).toEqual([4_194_304, 1_048_576]);
    expect(statSync(join(root, 'sparse')).blocks).toBeLessThan(64);
  });

  it('keeps names that are not UTF-8, and contents of every size around a slab', async () => {
    const name = Buffer.from('caf\xe9', 'latin1');
    const sizes = [0, 1, 511, 512, 513, 524_287, 524_288, 1_500_000];
    await unpack(
      layers([
        file(name, 'latin'),
        directory('dir\xe9/'),
        ...sizes.map((size) => file(`s${size}`, 'y'.repeat(size))),
      ]),
      root,
    );
    expect(readFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'utf8')).toBe('latin');
    for (const size of sizes) expect(read(`s${size}`)).toBe('y'.repeat(size));
  });

  it('one name of a hard-linked file replaced leaves the others what they were (ggcr#2002)', async () => {
    await unpack(
      layers([file('a', 'old'), hardlink('b', 'a'), hardlink('c', 'b')], [file('a', 'new')]),
      root,
    );
    expect([read('a'), read('b'), read('c')]).toEqual(['new', 'old', 'old']);
    expect(statSync(join(root, 'b')).ino).toBe(statSync(join(root, 'c')).ino);
  });

  it('a hard link to a symlink is that symlink', async () => {
    await unpack(layers([symlink('s', 'nowhere'), hardlink('h', 's', { mode: 0o600 })]), root);
    expect(readlinkSync(join(root, 'h'))).toBe('nowhere');
    expect(lstatSync(join(root, 'h')).ino).toBe(lstatSync(join(root, 's')).ino);
  });

  it('writes through /var/run into /run of a lower layer, inside the root', async () => {
    await unpack(layers([directory('run/'), symlink('var/run', '/run')], [file('var/run/pid', '1')]), root);
    expect([read('run/pid'), readlinkSync(join(root, 'var/run'))]).toEqual(['1', '/run']);
  });

  it('reads layers out of the middle of a file', async () => {
    const blob = buildTarGz([file('f', 'inside')]);
    const path = join(work, 'archive');
    writeFileSync(path, Buffer.concat([Buffer.alloc(777, 1), blob, Buffer.alloc(99, 2)]));
    const descriptor = { mediaType: 'x', digest: digestOf(blob), size: blob.length };
    await unpack([{ descriptor, location: { path, offset: 777, size: blob.length } }], root, {
      verifyBlob: true,
    });
    expect(read('f')).toBe('inside');
  });

  it('survives 300 layers and a directory 400 levels deep', async () => {
    const deep = 'd/'.repeat(400);
    const many = Array.from({ length: 300 }, (_, i) => [file(`f${i % 10}`, String(i))]);
    await unpack(layers(...many, [file(`${deep}leaf`, 'deep')]), root);
    expect([read('f9'), read(`${deep}leaf`)]).toEqual(['299', 'deep']);
  }, 60_000);
});

describe('an unpack that fails', () => {
  const failures: Array<[string, Member[] | Buffer, string]> = [
    ['a damaged layer', buildTarGz([file('f', 'x')]).subarray(0, 40), 'LAYER_INVALID'],
    ['a whiteout of nothing', [file('.wh.')], 'LAYER_REFUSED'],
    ['a whiteout of the parent', [file('a/.wh...')], 'LAYER_REFUSED'],
    ['a file inside a whiteout', [file('.wh.a/b')], 'LAYER_REFUSED'],
    ['a root that is a symlink', [symlink('./', '/etc')], 'LAYER_REFUSED'],
    ['a symlink loop as a parent', [symlink('a', 'b'), symlink('b', 'a'), file('a/f')], 'LAYER_REFUSED'],
    ['a hard link to nothing', [hardlink('a', 'b')], 'LAYER_INVALID'],
    ['a file used as a directory', [file('a'), file('a/b')], 'LAYER_INVALID'],
    ['a name of 300 bytes', [file('n'.repeat(300))], 'LAYER_REFUSED'],
    ['a path of 5000 bytes', [file('n/'.repeat(2500))], 'LAYER_REFUSED'],
    ['an impossible device', [{ name: 'd', type: '3', major: 5000 }], 'LAYER_REFUSED'],
  ];
  it.each(failures)('leaves nothing behind: %s', async (_, layer, code) => {
    await expect(unpack(layers([file('ok', 'ok')], layer), root)).rejects.toMatchObject({ code });
    expect(readdirSync(home)).toEqual([]);
  });

  it('names the layer', async () => {
    const stack = layers([hardlink('a', 'b')]);
    await expect(unpack(stack, root)).rejects.toThrow(String(stack[0]?.descriptor.digest));
  });

  it('leaves an empty destination and its missing parents as they were', async () => {
    mkdirSync(root);
    await expect(unpack(layers([file('.wh.')]), root)).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
    expect(readdirSync(root)).toEqual([]);
    await expect(unpack(layers([file('.wh.')]), join(home, 'x/y/z'))).rejects.toMatchObject({
      code: 'LAYER_REFUSED',
    });
    expect(readdirSync(home)).toEqual(['rootfs']);
  });

  it('checks diff IDs, blob digests and sizes', async () => {
    const tar = buildTar([file('f', 'x')]);
    const [layer] = layers(gzipSync(tar));
    if (layer === undefined) throw new Error('no layer');
    const wrong = digestOf('something else');
    await expect(unpack([{ ...layer, diffId: wrong }], root)).rejects.toMatchObject({
      code: 'DIFF_ID_MISMATCH',
    });
    const lying = { ...layer, descriptor: { ...layer.descriptor, digest: wrong } };
    await expect(unpack([lying], root, { verifyBlob: true })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    const short = { ...layer, descriptor: { ...layer.descriptor, size: 5 } };
    await expect(unpack([short], root, { verifyBlob: true })).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
    });
    expect(readdirSync(home)).toEqual([]);
    const sha512 = digestOf(tar, 'sha512');
    expect((await unpack([{ ...layer, diffId: sha512 }], root)).layers[0]?.diffId).toBe(sha512);
  });

  it('lets a diff ID pass that is the compressed digest, with a warning (podman#18716)', async () => {
    const [layer] = layers(buildTarGz([file('f', 'x')]));
    if (layer === undefined) throw new Error('no layer');
    const warnings: string[] = [];
    const onProgress = (event: ProgressEvent): void =>
      void (event.type === 'warning' && warnings.push(event.message));
    await unpack([{ ...layer, diffId: layer.descriptor.digest }], root, { onProgress });
    expect(warnings).toEqual([expect.stringContaining('diff ID')]);
  });

  it('never replaces a device or a pipe', async () => {
    execFileSync('mkfifo', [root]);
    await expect(unpack(layers([file('f')]), root, { force: true })).rejects.toMatchObject({
      code: 'DESTINATION_NOT_EMPTY',
    });
    expect(lstatSync(root).isFIFO()).toBe(true);
  });

  it('goes where a name is not ASCII, and cleans up there', async () => {
    const members = [
      directory('zü/', { mode: 0o500 }),
      file('zü/f', 'one'),
      hardlink('link', 'zü/f'),
      file('twice', 'a'),
      file('twice', 'b'),
      symlink('s', 'zü'),
    ];
    const there = join(home, 'Räume', '根'.repeat(70));
    await unpack(layers(members, [file('zü/g', 'two')]), there);
    expect(readFileSync(join(there, 'zü/f'), 'utf8')).toBe('one');
    expect(readFileSync(join(there, 'zü/g'), 'utf8')).toBe('two');
    expect(readFileSync(join(there, 'twice'), 'utf8')).toBe('b');
    expect(readdirSync(join(home, 'Räume'))).toEqual(['根'.repeat(70)]);
  });

  it('stops at the limits before the disk fills', async () => {
    const bomb = gzipSync(buildTar([file('zeros', Buffer.alloc(50_000_000))]));
    await expect(unpack(layers(bomb), root, { limits: { bytes: 1_000_000 } })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    await expect(
      unpack(layers([file('a'), file('b')]), root, { limits: { entries: 1 } }),
    ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(readdirSync(home)).toEqual([]);
  });

  it('stops promptly when its signal fires, and cleans up', async () => {
    const big = layers(Array.from({ length: 30_000 }, (_, i) => file(`d${i % 50}/f${i}`, 'x')));
    const controller = new AbortController();
    let told = 0;
    const onProgress = (event: ProgressEvent): void => {
      if (event.type === 'unpacking' && told++ === 0) controller.abort();
    };
    await expect(unpack(big, root, { signal: controller.signal, onProgress })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(readdirSync(home)).toEqual([]);
    await expect(unpack(big, root, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readdirSync(home)).toEqual([]);
  });
});

describe('the destination', () => {
  it('may be an empty directory or a symlink to one', async () => {
    mkdirSync(root);
    symlinkSync('rootfs', join(home, 'link'));
    await unpack(layers([file('f', 'x')]), join(home, 'link'));
    expect([read('f'), readlinkSync(join(home, 'link'))]).toEqual(['x', 'rootfs']);
  });

  it('is refused when something is there, and replaced whole with force', async () => {
    mkdirSync(root);
    writeFileSync(join(root, 'mine'), 'precious');
    const stack = layers([file('f', 'x')]);
    await expect(unpack(stack, root)).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
    await expect(unpack(stack, join(root, 'mine'))).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
    expect(read('mine')).toBe('precious');
    await unpack(stack, root, { force: true });
    expect([readdirSync(root), readdirSync(home)]).toEqual([['f'], ['rootfs']]);
  });

  it('with force keeps what was there when the unpack fails', async () => {
    mkdirSync(root);
    writeFileSync(join(root, 'mine'), 'precious');
    await expect(unpack(layers([file('.wh.')]), root, { force: true })).rejects.toMatchObject({
      code: 'LAYER_REFUSED',
    });
    expect([read('mine'), readdirSync(home)]).toEqual(['precious', ['rootfs']]);
  });
});

describe.runIf(isRoot)('unpacking as root', () => {
  it('makes devices and fifos, sets owners, keeps setuid and a file capability', async () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const result = await unpack(
      layers([
        { name: 'null', type: '3', mode: 0o666, major: 1, minor: 3 },
        { name: 'big', type: '4', major: 259, minor: 300_000 },
        { name: 'fifo', type: '6', mode: 0o620, uid: 7 },
        file('ping', 'x', {
          mode: 0o4755,
          uid: 1000,
          gid: 50,
          pax: {
            'SCHILY.xattr.security.capability': capability,
            'SCHILY.xattr.security.selinux': 'label',
            'SCHILY.xattr.user.overlay.opaque': 'y',
            'SCHILY.xattr.trusted.overlay.opaque': 'y',
          },
        }),
        symlink('s', 'x', { uid: 8, gid: 9, mtime: 1000 }),
      ]),
      root,
    );
    expect(result.warnings).toEqual([]);
    const stat = (name: string) => lstatSync(join(root, name));
    expect([stat('null').isCharacterDevice(), stat('null').rdev, stat('null').mode & 0o7777]).toEqual([
      true,
      0x103,
      0o666,
    ]);
    expect([stat('big').isBlockDevice(), stat('big').rdev]).toEqual([
      true,
      (300_000 & 0xff) | (259 << 8) | ((300_000 & ~0xff) * 4096),
    ]);
    expect([stat('fifo').isFIFO(), stat('fifo').uid, stat('fifo').mode & 0o7777]).toEqual([true, 7, 0o620]);
    expect([stat('ping').uid, stat('ping').gid, stat('ping').mode & 0o7777]).toEqual([1000, 50, 0o4755]);
    expect([stat('s').uid, stat('s').gid, stat('s').mtimeMs]).toEqual([8, 9, 1_000_000]);
    const python =
      'import os,sys; p=sys.argv[1]; print({k: os.getxattr(p,k).hex() for k in os.listxattr(p)})';
    const xattrs = execFileSync('python3', ['-c', python, join(root, 'ping')], { encoding: 'utf8' });
    expect(xattrs.trim()).toBe(`{'security.capability': '${capability.toString('hex')}'}`);
  });
});

describe.runIf(isRoot)('unpacking as a normal user', () => {
  /** What a process of user 65534 says; `FAILED` when it fails. */
  function runAsNobody(stack: ReturnType<typeof layers>): string {
    execFileSync('chmod', ['-R', 'a+rwX', work]);
    const cli = join(import.meta.dirname, '../support/extract-cli.ts');
    const paths = stack.map(({ location }) => location.path);
    const command = ['-c', '"$0" "$@" 2>&1 || echo FAILED', process.execPath, cli, root, ...paths];
    return execFileSync('sh', command, { encoding: 'utf8', uid: 65534, gid: 65534 });
  }

  it('does what it can, and says what it could not', () => {
    const output = runAsNobody(
      layers([
        directory('ro/', { mode: 0o555 }),
        file('ro/f', 'x', { mode: 0o444, uid: 5 }),
        { name: 'null', type: '3', major: 1, minor: 3 },
        { name: 'fifo', type: '6' },
      ]),
    );
    expect(output).toContain('1 device node was left out');
    expect(output).toMatch(/\d+ entries are owned by you/);
    expect(output).not.toContain('FAILED');
    expect(lstatSync(join(root, 'ro/f')).uid).toBe(65534);
    expect(lstatSync(join(root, 'ro')).mode & 0o7777).toBe(0o555);
    expect(lstatSync(join(root, 'fifo')).isFIFO()).toBe(true);
    expect(existsSync(join(root, 'null'))).toBe(false);
  });

  it('leaves nothing behind when it fails', () => {
    const readOnly = [directory('ro/', { mode: 0o500 }), file('ro/f', 'x', { mode: 0 })];
    expect(runAsNobody(layers(readOnly, [hardlink('a', 'missing')]))).toContain('FAILED');
    expect(readdirSync(home)).toEqual([]);
  });
});
