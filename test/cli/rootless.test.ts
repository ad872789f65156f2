// unpack as a normal user: owners by subordinate ids as podman has them, or recorded as umoci does.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { type AsUser, canBeNormalUser, FIRST_SUBID, normalUser, USER } from '../support/normal-user.ts';
import { buildTar, directory, file, hardlink, symlink } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
const layer = (): Buffer =>
  buildTar([
    directory('var/', { gid: 12, mode: 0o555 }),
    file('var/data', 'x', { uid: 1000, gid: 1001, mode: 0o444 }),
    hardlink('var/again', 'var/data'),
    directory('shut/', { mode: 0 }),
    file('shut/inside', 'x', { uid: 5 }),
    // A record in the layer itself is not believed.
    file('plain', 'x', { pax: { 'SCHILY.xattr.user.rootlesscontainers': '\u0008\u0001' } }),
    file('su', 'x', { mode: 0o4755 }),
    file('far', 'x', { uid: 70_000, gid: 70_000 }),
    symlink('link', 'var', { uid: 33, gid: 33 }),
    { name: 'pipe', type: '6', uid: 7 },
    { name: 'dev/null', type: '3', major: 1, minor: 3, mode: 0o666 },
    hardlink('dev/same', 'dev/null'),
  ]);

let root: string;
let home: string;
const probe = mkdtempSync(join(tmpdir(), 'ocitool-probe-'));
const can = canBeNormalUser(probe);
rmSync(probe, { recursive: true });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'ocitool-rootless-'));
  chmodSync(root, 0o755);
  const place = memoryPlace();
  const name = parseReference('example.com/app:1');
  nameImage(place, name, addImage(place, { layers: [layer()] }));
  await createCopier(await openStore(join(root, 'store'))).copy(place, name);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'));
  execFileSync('cp', ['-r', join(root, 'store'), join(home, 'store')]);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const owner = (path: string): number[] => {
  const { uid, gid } = lstatSync(join(home, path));
  return [uid, gid];
};
const unpack = (asUser: AsUser, into: string, ...flags: string[]) =>
  asUser([process.execPath, bin, 'unpack', 'example.com/app:1', join(home, into), ...flags], {
    OCITOOL_STORE: join(home, 'store'),
  });
const attributes = (folder: string): Record<string, string> => {
  const args = ['-R', '-P', '-h', '-d', '-m', '^user', '-e', 'hex', '.'];
  const text = execFileSync('getfattr', args, { cwd: join(home, folder), encoding: 'utf8' });
  const found: Record<string, string> = {};
  for (const block of text.split('\n\n')) {
    const [head = '', ...lines] = block.trim().split('\n');
    for (const line of lines) {
      const [name, hex = ''] = line.split('=0x');
      found[`${head.slice('# file: '.length)} ${name}`] = hex;
    }
  }
  return found;
};

describe.skipIf(!can)('unpacking as a user with subordinate ids', () => {
  const enter = (): AsUser => normalUser(home, { subids: true });

  it('gives each entry the id that stands for its owner', () => {
    const { status, stderr } = unpack(enter(), 'out');
    expect([status, stderr]).toEqual([0, expect.stringContaining('1 entry is owned by you')]);
    expect(owner('out/plain')).toEqual([USER, USER]);
    expect(owner('out/var')).toEqual([USER, FIRST_SUBID + 11]);
    expect(owner('out/var/data')).toEqual([FIRST_SUBID + 999, FIRST_SUBID + 1000]);
    expect(owner('out/shut/inside')).toEqual([FIRST_SUBID + 4, USER]);
    expect(owner('out/link')).toEqual([FIRST_SUBID + 32, FIRST_SUBID + 32]);
    expect(lstatSync(join(home, 'out/su')).mode & 0o7777).toBe(0o4755);
    expect(existsSync(join(home, 'out.mtree'))).toBe(false);
  });

  it.skipIf(!hasTools('podman'))('shows the image’s owners in podman unshare', () => {
    const asUser = enter();
    unpack(asUser, 'out', '--rootless', 'userns');
    const find = ['find', 'out', '-mindepth', '1', '-printf', '%P %U:%G\\n'];
    const { stdout, stderr } = asUser(['podman', 'unshare', ...find], { XDG_RUNTIME_DIR: home });
    expect([stdout.trim().split('\n').sort(), stderr]).toEqual([
      [
        'dev 0:0',
        // Without an id of its own it stays the user's.
        'far 0:0',
        'link 33:33',
        'pipe 7:0',
        'plain 0:0',
        'shut 0:0',
        'shut/inside 5:0',
        'su 0:0',
        'var 0:12',
        'var/again 1000:1001',
        'var/data 1000:1001',
      ],
      expect.anything(),
    ]);
  });

  it('says how to remove the tree, and that works', () => {
    const asUser = enter();
    const { stderr } = unpack(asUser, "o'ut");
    const command = /remove the tree with: (.*)/.exec(stderr)?.[1] ?? 'false';
    expect(asUser(['sh', '-c', command])).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(join(home, "o'ut"))).toBe(false);
  });

  it.skipIf(!hasTools('mkfs.erofs'))('makes an image with the image’s owners from a tree', () => {
    const asUser = enter();
    const args = [process.execPath, bin, 'export', 'example.com/app:1', '-o', join(home, 'a.erofs')];
    expect(asUser(args, { OCITOOL_STORE: join(home, 'store') })).toMatchObject({ status: 0 });
    expect(owner('a.erofs')).toEqual([USER, USER]);
    execFileSync('fsck.erofs', [`--extract=${join(home, 'extracted')}`, join(home, 'a.erofs')]);
    expect(owner('extracted/var/data')).toEqual([1000, 1001]);
    expect(owner('extracted/plain')).toEqual([0, 0]);
  });

  it('keeps exit codes and standard output', () => {
    const asUser = enter();
    mkdirSync(join(home, 'out'));
    mkdirSync(join(home, 'out/taken'));
    expect(unpack(asUser, 'out').status).toBe(1);
    const { stdout } = unpack(asUser, 'fresh', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'example.com/app:1' });
  });
});

describe.skipIf(!can)('unpacking as a user without', () => {
  const stay = (): AsUser => normalUser(home, { subids: false });

  it('says what is missing when a namespace was asked for', () => {
    const { status, stderr } = unpack(stay(), 'out', '--rootless', 'userns');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/\/etc\/subuid has no range for tester/)]);
    expect(existsSync(join(home, 'out'))).toBe(false);
  });

  it('records owners, modes and devices', () => {
    const { status, stderr } = unpack(stay(), 'out');
    expect([status, stderr]).toEqual([0, expect.stringMatching(/8 entries are yours on disk.*out\.mtree/)]);
    const text = (value: string): string => Buffer.from(value).toString('hex');
    expect(attributes('out')).toEqual({
      'var user.rootlesscontainers': '08ffffffff0f100c',
      'var/data user.rootlesscontainers': '08e80710e907',
      'var/again user.rootlesscontainers': '08e80710e907',
      'shut/inside user.rootlesscontainers': '080510ffffffff0f',
      'far user.rootlesscontainers': '08f0a20410f0a204',
      'su user.containers.override_stat': text('0:0:4755:file'),
      'dev/null user.containers.override_stat': text('0:0:0666:char-1-3'),
      'dev/same user.containers.override_stat': text('0:0:0666:char-1-3'),
    });
    expect(readFileSync(join(home, 'out.mtree'), 'utf8').split('\n').sort()).toEqual([
      '',
      '#mtree',
      './link type=link uid=33 gid=33 mode=0777 link=var',
      './pipe type=fifo uid=7 gid=0 mode=0644',
    ]);
    expect(owner('out/far')).toEqual([USER, USER]);
    const stats = ['su', 'var', 'var/data', 'shut', 'dev/null'].map((path) =>
      lstatSync(join(home, 'out', path)),
    );
    expect(stats.map(({ mode }) => (mode & 0o7777).toString(8))).toEqual(['755', '555', '444', '0', '666']);
    expect(stats.every(({ mtimeMs }) => mtimeMs === 1_600_000_000_000)).toBe(true);
    expect(lstatSync(join(home, 'out/dev')).mtimeMs).toBe(1_600_000_000_000);
    expect(lstatSync(join(home, 'out/dev/null')).ino).toBe(lstatSync(join(home, 'out/dev/same')).ino);
  });

  it.skipIf(!hasTools('umoci'))('records owners as umoci does, where it does', () => {
    const asUser = stay();
    unpack(asUser, 'ours');
    asUser(['umoci', 'raw', 'unpack', '--rootless', '--image', 'store:example.com/app:1', 'theirs']);
    const theirs = attributes('theirs');
    expect(Object.keys(theirs).length).toBeGreaterThan(1);
    expect(attributes('ours')).toMatchObject(theirs);
  });

  it.skipIf(!hasTools('bsdtar'))('writes a side file that bsdtar reads', () => {
    unpack(stay(), 'out');
    const listing = execFileSync('bsdtar', ['-tvf', join(home, 'out.mtree'), '--numeric-owner'], {
      cwd: join(home, 'out'),
      encoding: 'utf8',
    });
    expect(listing).toMatch(/lrwxrwxrwx .* 33 +33 .* \.\/link -> var/);
    expect(listing).toMatch(/prw-r--r-- .* 7 +0 .* \.\/pipe/);
  });

  it('keeps the whole record in the side file where there are no attributes', () => {
    // ramfs has none, and is gone with the mount namespace.
    stay();
    mkdirSync(join(home, 'ram'));
    const script = `mount -t ramfs none ram && chmod 777 ram
      setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@" && cp ram/out.mtree kept`;
    const args = [process.execPath, bin, 'unpack', '--rootless', 'record', 'example.com/app:1', 'ram/out'];
    execFileSync('chown', ['-R', `${USER}:${USER}`, home]);
    execFileSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...args], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, OCITOOL_STORE: join(home, 'store') },
      stdio: 'pipe',
    });
    expect(readFileSync(join(home, 'kept'), 'utf8').split('\n').sort()).toEqual([
      '',
      '#mtree',
      './dev/null type=char uid=0 gid=0 mode=0666 device=linux,1,3',
      './far type=file uid=70000 gid=70000 mode=0644',
      './link type=link uid=33 gid=33 mode=0777 link=var',
      './pipe type=fifo uid=7 gid=0 mode=0644',
      './shut/inside type=file uid=5 gid=0 mode=0644',
      './su type=file uid=0 gid=0 mode=4755',
      './var type=dir uid=0 gid=12 mode=0555',
      './var/data type=file uid=1000 gid=1001 mode=0444',
    ]);
  });

  it('refuses to write over a side file that is there, and leaves nothing then', () => {
    const asUser = stay();
    expect(unpack(asUser, 'out').status).toBe(0);
    execFileSync('rm', ['-rf', join(home, 'out')]);
    const { status, stderr } = unpack(asUser, 'out');
    expect([status, stderr]).toEqual([1, expect.stringContaining('out.mtree: is there already')]);
    expect(existsSync(join(home, 'out'))).toBe(false);
    expect(unpack(asUser, 'out', '--force').status).toBe(0);
  });

  it('says that the flag is not for root', () => {
    const env = { PATH: process.env.PATH, OCITOOL_STORE: join(home, 'store') };
    const args = [bin, 'unpack', '--rootless', 'record', 'example.com/app:1', join(home, 'out')];
    expect(() => execFileSync(process.execPath, args, { env, stdio: 'ignore' })).toThrow(
      expect.objectContaining({ status: 2 }),
    );
  });
});
