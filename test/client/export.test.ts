// Export in every format, judged by the tools that read it: GNU tar, gzip, zstd, unsquashfs, fsck.erofs and the kernel.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { exportFormatOf, exportImage } from '../../src/client/export.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { runCli } from '../support/cli.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';
import { treeSnapshot } from '../support/tree-snapshot.ts';

const isRoot = process.geteuid?.() === 0;
const { PATH } = process.env;
let work: string;
let client: Client;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'ocitool-export-'));
  client = createClient({ store: join(work, 'store') });
});
afterEach(async () => {
  process.env.PATH = PATH;
  delete process.env.SOURCE_DATE_EPOCH;
  await client.close();
  removeTree(work);
});

const members = (): Member[][] => [
  [
    directory('./', { mode: 0o711, mtime: 1_300_000_000 }),
    directory('etc/', { mode: 0o750, uid: 3, mtime: 1_500_000_000 }),
    file('etc/first', 'one', { uid: 1000, gid: 1001, mtime: 1_400_000_000 }),
    hardlink('etc/second', 'etc/first'),
    hardlink('etc/third', 'etc/first'),
    symlink('etc/link', '../nowhere', { uid: 5 }),
    file('bin/su', 'x'.repeat(300_000), { mode: 0o4755, pax: { 'SCHILY.xattr.user.note': 'y' } }),
    { name: 'pipe', type: '6', mode: 0o600 },
    ...(isRoot ? [{ name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 }] : []),
  ],
  // A name of three is replaced: the other two keep the old content, and each other.
  [file('etc/first', 'two', { mtime: 1_450_000_000 }), file('sbin/implied', 'y')],
];

/** Stores an image of these layers under a name. */
async function store(layers: Buffer[], name = 'example.com/app:1'): Promise<string> {
  const place = memoryPlace();
  nameImage(place, parseReference(name), addImage(place, { layers }));
  await createCopier(await openStore(join(work, 'store'))).copy(place, parseReference(name));
  return name;
}

const tars = (): Buffer[] => members().map(buildTar);
const exported = async (image: string, name: string): Promise<Buffer> => {
  await exportImage(client, image, join(work, name));
  return readFileSync(join(work, name));
};

describe('exporting an image', () => {
  it('keeps hard links right where an upper layer replaced one of the names (ggcr#2002)', async () => {
    await exported(await store(tars()), 'all.tar');
    mkdirSync(join(work, 'out'));
    execFileSync('tar', ['-xpf', join(work, 'all.tar'), '-C', join(work, 'out')]);
    const seen = treeSnapshot(join(work, 'out'));
    expect(readFileSync(join(work, 'out/etc/first'), 'utf8')).toBe('two');
    expect(readFileSync(join(work, 'out/etc/second'), 'utf8')).toBe('one');
    expect(seen['etc/first']?.sameAs).toBeUndefined();
    expect(seen['etc/third']?.sameAs).toBe('etc/second');
  });

  it('gives the same bytes from the store, a layout and an archive, however they are ordered and compressed', async () => {
    const plain = await exported(await store(tars()), 'plain.tar');
    const zipped = tars().map((tar) => gzipSync(tar, { level: 9 }));
    const squeezed = tars().map((tar) => zstdCompressSync(tar));
    await store(zipped, 'example.com/zipped:1');
    await store(squeezed, 'example.com/squeezed:1');
    expect((await exported('example.com/zipped:1', 'a.tar')).equals(plain)).toBe(true);
    expect((await exported('example.com/squeezed:1', 'b.tar')).equals(plain)).toBe(true);

    const box = join(work, 'store');
    const named = `oci:${box}:example.com/zipped:1`;
    expect((await exported(named, 'c.tar')).equals(plain)).toBe(true);
    for (const order of ['sort', 'sort -r']) {
      execFileSync('sh', [
        '-c',
        `cd "$0" && find . -type f | grep -v ocitool | ${order} | tar -cf "$1" -T -`,
        box,
        join(work, 'box.tar'),
      ]);
      const archived = `oci-archive:${join(work, 'box.tar')}:example.com/zipped:1`;
      expect((await exported(archived, 'd.tar')).equals(plain)).toBe(true);
    }
  });

  it('compresses by the file’s ending, with no time in the header', async () => {
    const image = await store(tars());
    const plain = await exported(image, 'a.tar');
    const gz = await exported(image, 'a.tgz');
    expect(gz.readUInt32LE(4)).toBe(0);
    expect(execFileSync('gzip', ['-dc'], { input: gz, maxBuffer: 1 << 26 }).equals(plain)).toBe(true);
    expect((await exported(image, 'b.tar.gz')).equals(gz)).toBe(true);
    const zst = await exported(image, 'a.tar.zst');
    expect((await exported(image, 'b.tzst')).equals(zst)).toBe(true);
    if (!hasTools('zstd')) return;
    expect(execFileSync('zstd', ['-dc'], { input: zst, maxBuffer: 1 << 26 }).equals(plain)).toBe(true);
  });

  it('ends with what is wrong with a layer, through a compressor as well, and leaves nothing', async () => {
    const broken = gzipSync(tars()[0] as Buffer);
    const image = await store([broken.subarray(0, broken.length / 2)]);
    const before = readdirSync(work);
    for (const name of ['a.tar', 'a.tar.gz', 'a.tar.zst']) {
      await expect(exported(image, name)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    }
    expect(readdirSync(work)).toEqual(before);
  });

  it('writes into a pipe or a device, and leaves it one', async () => {
    const image = await store(tars());
    const plain = await exported(image, 'all.tar');
    execFileSync('mkfifo', [join(work, 'pipe')]);
    const reading = promisify(execFile)('cat', [join(work, 'pipe')], {
      encoding: 'buffer',
      maxBuffer: 1 << 26,
    });
    await exportImage(client, image, join(work, 'pipe'));
    expect((await reading).stdout.equals(plain)).toBe(true);
    expect(lstatSync(join(work, 'pipe')).isFIFO()).toBe(true);
    await expect(
      exportImage(client, image, join(work, 'pipe'), { format: 'squashfs' }),
    ).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(exportImage(client, image, work)).rejects.toMatchObject({ code: 'IO' });
  });

  it('knows the endings', () => {
    const endings = ['a.tar', 'a.TGZ', 'a.tar.zst', 'a.sqfs', 'a.squashfs', 'a.erofs', 'tar', 'a.img'];
    expect(endings.map(exportFormatOf)).toEqual([
      'tar',
      'tar.gz',
      'tar.zst',
      'squashfs',
      'squashfs',
      'erofs',
      undefined,
      undefined,
    ]);
  });
});

/** What GNU tar makes of the tar export, without what this file system keeps and others do not. */
async function expected(image: string): Promise<ReturnType<typeof treeSnapshot>> {
  await exported(image, 'all.tar');
  mkdirSync(join(work, 'expected'));
  execFileSync('tar', [
    '-xpf',
    join(work, 'all.tar'),
    '--xattrs',
    '--xattrs-include=*',
    '--numeric-owner',
    '-C',
    join(work, 'expected'),
  ]);
  return treeSnapshot(join(work, 'expected'));
}

/** A folder that is the whole PATH: links to `tools`, and `scripts` by name. */
function onlyTools(tools: string[], scripts: Record<string, string> = {}): void {
  const folder = join(work, 'bin');
  mkdirSync(folder);
  for (const name of tools) {
    const where = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    symlinkSync(where, join(folder, name));
  }
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  process.env.PATH = folder;
}

const hasSquashfs = hasTools('sqfstar', 'mksquashfs', 'unsquashfs');

describe.skipIf(!isRoot || !hasSquashfs)('a squashfs image', () => {
  const unpacked = (name: string): ReturnType<typeof treeSnapshot> => {
    execFileSync('unsquashfs', ['-d', join(work, `${name}.out`), join(work, name)], { stdio: 'ignore' });
    return treeSnapshot(join(work, `${name}.out`));
  };

  it('holds what the tar holds, straight from the tar, the same every time', async () => {
    const image = await store(tars());
    process.env.SOURCE_DATE_EPOCH = '5';
    const once = await exported(image, 'a.squashfs');
    delete process.env.SOURCE_DATE_EPOCH;
    expect((await exported(image, 'b.squashfs')).equals(once)).toBe(true);
    const seen = unpacked('a.squashfs');
    const wanted = await expected(image);
    // squashfs-tools 4.5.1 takes no time for the root of a tar.
    for (const { '.': root } of [seen, wanted]) if (root !== undefined) root.mtime = 0n;
    expect(seen).toEqual(wanted);
  });

  it('is made from a tree where the tool reads no tar', async () => {
    const image = await store(tars());
    const before = await expected(image);
    onlyTools(['mksquashfs']);
    await exported(image, 'a.squashfs');
    process.env.PATH = PATH;
    expect(unpacked('a.squashfs')).toEqual(before);
    expect(readdirSync(work).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

const hasErofs = hasTools('mkfs.erofs', 'fsck.erofs');

describe.skipIf(!hasErofs)('an erofs image', () => {
  it.skipIf(!isRoot)('holds what the tar holds, the same every time', async () => {
    const image = await store(tars());
    const once = await exported(image, 'a.erofs');
    expect((await exported(image, 'b.erofs')).equals(once)).toBe(true);
    execFileSync('fsck.erofs', [join(work, 'a.erofs')]);
    const mount = join(work, 'mounted');
    mkdirSync(mount);
    const mounting = spawnSync('mount', ['-t', 'erofs', '-o', 'loop,ro', join(work, 'a.erofs'), mount]);
    if (mounting.status !== 0) {
      console.log(`SKIPPED comparing an erofs image: ${String(mounting.stderr).trim()}`);
      return;
    }
    try {
      expect(treeSnapshot(mount)).toEqual(await expected(image));
    } finally {
      execFileSync('umount', [mount]);
    }
  });

  it('is made from the tar where the tool reads one (erofs-utils 1.7)', async () => {
    const image = await store(tars());
    const plain = await exported(image, 'all.tar');
    onlyTools(['cat', 'echo'], {
      'mkfs.erofs': `
        for word; do last=$word; done
        case "$*" in
          --help) echo " --tar=X   generate a full or index-only image from a tarball"; exit 1;;
          *--tar=f*) cat > "$last";;
          *) echo "unexpected: $*" >&2; exit 1;;
        esac`,
    });
    expect((await exported(image, 'a.erofs')).equals(plain)).toBe(true);
  });
});

describe('the tool of a format', () => {
  it('is named when it is missing', async () => {
    const image = await store(tars());
    onlyTools([]);
    const before = readdirSync(work);
    await expect(exported(image, 'a.squashfs')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('squashfs-tools'),
    });
    await expect(exported(image, 'a.erofs')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('erofs-utils'),
    });
    expect(readdirSync(work)).toEqual(before);
  });

  it('says why when it fails half-way, and leaves nothing', async () => {
    const image = await store([buildTar([file('big', Buffer.alloc(3_000_000))])]);
    onlyTools([], {
      sqfstar: `test "$1" = -version && exit 0
        for last; do :; done
        echo half > "$last"
        echo "FATAL ERROR: no" >&2
        exit 1`,
    });
    const before = readdirSync(work);
    await expect(exported(image, 'a.squashfs')).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining('FATAL ERROR: no'),
    });
    expect(readdirSync(work)).toEqual(before);
  });

  it('is ended when the signal fires, and leaves nothing', async () => {
    const image = await store(tars());
    const controller = new AbortController();
    client = createClient({ store: join(work, 'store'), signal: controller.signal });
    onlyTools(['sleep'], {
      sqfstar: `test "$1" = -version && exit 0
        for last; do :; done
        echo half > "$last"
        exec sleep 1000`,
    });
    const before = readdirSync(work);
    const running = exported(image, 'a.squashfs');
    const started = (): boolean => readdirSync(work).some((name) => name.includes('.partial-'));
    const waiting = setInterval(() => started() && controller.abort(), 10);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    clearInterval(waiting);
    expect(readdirSync(work)).toEqual(before);
  });
});

describe('the command', () => {
  it('refuses to write a file system image to stdout', async () => {
    const image = await store(tars());
    const env = { OCITOOL_STORE: join(work, 'store') };
    const { code, stderr } = await runCli(['export', image, '--format', 'squashfs'], { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/-o rootfs\.squashfs/);
  });

  it('writes a compressed tar to stdout', async () => {
    const image = await store(tars());
    const env = { OCITOOL_STORE: join(work, 'store') };
    const target = join(work, 'out.gz');
    const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
    const script = '"$0" "$1" export "$2" --format tar.gz > "$3"';
    execFileSync('sh', ['-c', script, process.execPath, bin, image, target], { env: { PATH, ...env } });
    expect(readFileSync(target).equals(await exported(image, 'a.tar.gz'))).toBe(true);
  });
});
