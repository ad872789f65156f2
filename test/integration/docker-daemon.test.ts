// Docker itself as the other side: it loads what we save and pulls what we serve as we do, and we take what it saves and pushes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BlobStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { digest } from '../../src/client/documents.ts';
import { exportImage } from '../../src/client/export.ts';
import { inspect } from '../../src/client/inspect.ts';
import { load } from '../../src/client/load.ts';
import { save } from '../../src/client/save.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import {
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../../src/manifest/media-types.ts';
import { hostPlatform } from '../../src/manifest/platform.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { canRunDocker, type DockerDaemon, startDockerDaemon } from '../support/docker-daemon.ts';
import { addBlob, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';
import { hasTools, tool } from '../support/tools.ts';
import { type TreeNode, treeSnapshot } from '../support/tree-snapshot.ts';

type Compression = 'none' | 'gzip' | 'zstd';
type LayerSpec = readonly [Compression, ...Member[]];

const PACKED = {
  none: [OCI_LAYER, (tar: Buffer) => tar],
  gzip: [OCI_LAYER_GZIP, (tar: Buffer) => gzipSync(tar)],
  zstd: [OCI_LAYER_ZSTD, (tar: Buffer) => zstdCompressSync(tar)],
} as const;

const DIFFICULT: LayerSpec[] = [
  [
    'gzip',
    directory('bin/'),
    // Its other names say the same mode, as every tar program writes it: docker changes the mode with each of them.
    file('bin/su', 'set user id', { mode: 0o4755 }),
    hardlink('bin/su-too', 'bin/su', { mode: 0o4755 }),
    symlink('bin/sh', 'su'),
    symlink('bin/nowhere', '/not/there'),
    directory('etc/', { mode: 0o751 }),
    file('etc/passwd', 'root:x:0:0::/:/bin/sh\n'),
    file('etc/gone', 'hidden by a layer above'),
    directory('home/'),
    directory('home/user/', { mode: 0o700, uid: 1000, gid: 1001 }),
    file('home/user/mine', 'mine', { mode: 0o600, uid: 1000, gid: 1001 }),
    file('home/user/far', 'a large number', { uid: 2_000_001, gid: 65_534 }),
    directory('home/user/spool/', { mode: 0o2775, gid: 8 }),
    directory('tmp/', { mode: 0o1777 }),
    directory('data/'),
    directory('data/old/'),
    file('data/old/one', '1'),
    file('data/two', '2'),
    file('was-file', 'becomes a directory'),
    directory('was-directory/'),
    file('was-directory/inside', 'goes with it'),
    { name: 'pipe', type: '6' },
  ],
  [
    'gzip',
    file('etc/.wh.gone'),
    directory('data/'),
    file('data/.wh..wh..opq'),
    file('data/three', '3'),
    hardlink('bin/su-three', 'bin/su', { mode: 0o4755 }),
    directory('was-file/'),
    file('was-file/inside', 'new'),
    file('was-directory', 'a file'),
    file('home/user/mine', 'changed', { mode: 0o640, uid: 1001, gid: 1000 }),
  ],
  [
    'none',
    directory('odd/'),
    file('odd/with space', ' '),
    file('odd/with\nnewline', '\n'),
    file('odd/with\\backslash', '\\'),
    file('odd/-rf', '-'),
    file('odd/ünïcødé', 'u'),
    file(Buffer.from('odd/latin1-\xff', 'latin1'), 'not UTF-8'),
    file(`odd/${'long'.repeat(50)}`, 'PAX'),
    file('odd/empty'),
    file('odd/sparse', Buffer.alloc(300_000)),
  ],
];

const CONFIG = {
  User: '1000:1001',
  ExposedPorts: { '80/tcp': {} },
  Env: ['PATH=/bin', 'GREETING=hello there'],
  Entrypoint: ['/bin/su'],
  Cmd: ['-c', 'id'],
  WorkingDir: '/etc',
  Labels: { 'org.example.label': 'ünïcødé' },
  StopSignal: 'SIGINT',
};

const place = memoryPlace();
const HERE = hostPlatform().architecture;

/** The image of these layers: in the place, not in a store yet. */
function imageOf(layers: LayerSpec[], architecture = HERE): Descriptor {
  const packed = layers.map(([compression, ...members]) => {
    const tar = buildTar(members);
    const [mediaType, pack] = PACKED[compression];
    return { diffId: digestOf(tar), descriptor: addBlob(place, mediaType, pack(tar)) };
  });
  const config = addBlob(place, OCI_CONFIG, {
    created: '2020-02-02T02:02:02Z',
    os: 'linux',
    architecture,
    config: CONFIG,
    rootfs: { type: 'layers', diff_ids: packed.map(({ diffId }) => diffId) },
    history: layers.map((_, i) => ({ created_by: `COPY layer${i} /` })),
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers: packed.map(({ descriptor }) => descriptor),
  };
  return { ...addBlob(place, OCI_MANIFEST, manifest), platform: { os: 'linux', architecture } };
}

function configOf(image: Descriptor): Digest {
  const { config } = JSON.parse(String(place.blobs.get(image.digest))) as { config: Descriptor };
  return config.digest;
}

const SMALL: LayerSpec[] = [['gzip', directory('etc/'), file('etc/motd', 'hello')]];

/** What docker puts into a container in front of its image's files. */
const DOCKERS_OWN = new Set([
  '.dockerenv',
  'dev',
  'dev/console',
  'dev/pts',
  'dev/shm',
  'etc/hostname',
  'etc/hosts',
  'etc/mtab',
  'etc/resolv.conf',
  'proc',
  'sys',
]);

interface Inspected {
  Id: string;
  RepoTags: string[];
}

describe.skipIf(!canRunDocker() || !hasTools('getfattr', 'tar'))('docker', () => {
  let runs = false;
  let daemon: DockerDaemon;
  let dir: string;
  let client: Client;
  let store: BlobStore;
  /** Of the server, as docker reaches it. */
  let host: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ocitool-docker-'));
    const started = await startDockerDaemon();
    if (started === undefined) return;
    daemon = started;
    runs = true;
    client = createClient({ store: join(dir, 'store') });
    store = await client.store();
    host = await daemon.serve(join(dir, 'store'));
  });
  afterAll(async () => {
    await daemon?.close();
    await client?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  beforeEach(({ skip }) => skip(!runs));

  const inspected = async (image: string): Promise<Inspected> =>
    (JSON.parse(await daemon.docker('image', 'inspect', image)) as [Inspected])[0];

  async function addToStore(name: string, image: Descriptor): Promise<void> {
    const reference = parseReference(name);
    nameImage(place, reference, image);
    await createCopier(store).copy(place, reference, { allPlatforms: true });
  }

  async function savedAndLoaded(...images: string[]): Promise<string[]> {
    const archive = join(mkdtempSync(join(dir, 'saved-')), 'images.tar');
    await save(client, images, `docker-archive:${archive}`);
    return (await daemon.docker('load', '-i', archive)).split('\n').sort();
  }

  async function dockersTree(image: string): Promise<Record<string, TreeNode>> {
    const archive = join(mkdtempSync(join(dir, 'docker-')), 'tree.tar');
    const id = await daemon.docker('create', image);
    await daemon.docker('export', '-o', archive, id);
    await daemon.docker('rm', id);
    const all = Object.entries(await treeOf(archive));
    const own = all.filter(([path]) => DOCKERS_OWN.has(path));
    expect(new Set(own.map(([path]) => path))).toEqual(DOCKERS_OWN);
    return Object.fromEntries(all.filter(([path]) => !DOCKERS_OWN.has(path)));
  }

  async function ourTree(image: string): Promise<Record<string, TreeNode>> {
    const archive = join(mkdtempSync(join(dir, 'ours-')), 'tree.tar');
    await exportImage(client, image, archive);
    return treeOf(archive);
  }

  /** What GNU tar makes of an archive; without the times of directories, in which docker makes files of its own. */
  async function treeOf(archive: string): Promise<Record<string, TreeNode>> {
    const root = `${archive}.d`;
    mkdirSync(root);
    await tool('tar', '--numeric-owner', '-xpf', archive, '-C', root);
    const tree = treeSnapshot(root);
    for (const node of Object.values(tree)) if (node.kind === 'dir') node.mtime = 0n;
    return tree;
  }

  test('has the files and the configuration of an image we saved', async () => {
    await addToStore('example.com/difficult:1', imageOf(DIFFICULT));
    await savedAndLoaded('example.com/difficult:1');
    const ours = await ourTree('example.com/difficult:1');
    expect(await dockersTree('example.com/difficult:1')).toEqual(ours);
    // Two empty trees were equal, too.
    expect(ours).toMatchObject({
      'bin/su-three': { sameAs: 'bin/su', mode: '4755' },
      'data/three': {},
      'was-directory': { kind: 'file' },
      pipe: { kind: 'fifo' },
    });
    expect(Object.keys(ours)).not.toContain('data/two');

    expect(await inspected('example.com/difficult:1')).toMatchObject({
      Config: CONFIG,
      Created: '2020-02-02T02:02:02Z',
      Architecture: HERE,
    });
  });

  // moby#41759
  test('takes zstd layers from version 23 on', async () => {
    await addToStore('example.com/zstd:1', imageOf([...SMALL, ['zstd', file('etc/more', 'zstd')]]));
    const version = Number.parseInt(await daemon.docker('version', '--format', '{{.Server.Version}}'), 10);
    if (version >= 23) {
      await savedAndLoaded('example.com/zstd:1');
      expect(await dockersTree('example.com/zstd:1')).toEqual(await ourTree('example.com/zstd:1'));
    } else {
      await expect(savedAndLoaded('example.com/zstd:1')).rejects.toThrow('unexpected EOF');
    }
  });

  test('finds all names of several images in one archive', async () => {
    const first = imageOf(SMALL);
    const second = imageOf([...SMALL, ['gzip', file('etc/second', '2')]]);
    await addToStore('example.com/first:1', first);
    await addToStore('example.com/first:also', first);
    await addToStore('docker.io/library/second:latest', second);
    expect(await savedAndLoaded('example.com/first:1', 'example.com/first:also', 'second')).toEqual([
      'Loaded image: example.com/first:1',
      'Loaded image: example.com/first:also',
      'Loaded image: second:latest',
    ]);
    expect((await inspected('example.com/first:1')).RepoTags.sort()).toEqual([
      'example.com/first:1',
      'example.com/first:also',
    ]);
    expect(await dockersTree('second')).toEqual(await ourTree('second'));
  });

  test('loads an image without a name by its ID', async () => {
    const image = imageOf([['gzip', file('nameless', '')]]);
    await addToStore('example.com/nameless:1', image);
    const [line] = await savedAndLoaded(`example.com/nameless@${image.digest}`);
    expect(line).toBe(`Loaded image ID: ${configOf(image)}`);
    expect((await inspected(configOf(image))).RepoTags).toEqual([]);
  });

  test('saves images that we load by their names, with its own layers', async () => {
    await addToStore('example.com/base:1', imageOf(DIFFICULT));
    await savedAndLoaded('example.com/base:1');
    const container = await daemon.docker('create', 'example.com/base:1');
    writeFileSync(join(dir, 'added'), 'by docker', { mode: 0o640 });
    await daemon.docker('cp', join(dir, 'added'), `${container}:/home/user/added`);
    await daemon.docker('commit', container, 'example.com/committed:1');
    await daemon.docker('tag', 'example.com/committed:1', 'committed:again');
    await daemon.docker('tag', 'example.com/base:1', 'base');

    const archive = join(dir, 'from-docker.tar');
    await daemon.docker('save', '-o', archive, 'example.com/committed:1', 'committed:again', 'base');
    await load(client, archive);
    for (const name of ['example.com/committed:1', 'committed:again', 'base'])
      expect((await inspect(client, name)).configDigest).toBe((await inspected(name)).Id);
    expect(await ourTree('base')).toEqual(await ourTree('example.com/base:1'));
    const committed = await ourTree('committed:again');
    expect(committed).toEqual(await dockersTree('committed:again'));
    expect(committed['home/user/added']).toMatchObject({ mode: '640', owner: '0:0' });
    expect(await store.check()).toMatchObject({ ok: true });
  });

  test('saves an image without a name, which we load under the one we give it', async () => {
    const image = imageOf([['gzip', file('by-id', '')]]);
    await addToStore('example.com/by-id:1', image);
    await savedAndLoaded(`example.com/by-id@${image.digest}`);
    const archive = join(dir, 'by-id.tar');
    await daemon.docker('save', '-o', archive, configOf(image));
    await load(client, archive, 'example.com/named:1');
    expect(await ourTree('example.com/named:1')).toEqual(await ourTree('example.com/by-id:1'));
  });

  test('pulls one platform of an index that we serve, and tells its digest', async () => {
    const images = ['amd64', 'arm64'].map((architecture) =>
      imageOf([['gzip', directory('etc/'), file('etc/architecture', architecture)]], architecture),
    );
    const index = addIndex(place, images);
    await addToStore('docker.io/team/multi:1', index);
    const name = `${host}/team/multi`;
    for (const image of images) {
      const architecture = image.platform?.architecture;
      const said = await daemon.docker('pull', '--platform', `linux/${architecture}`, `${name}:1`);
      expect(said).toContain(`Digest: ${index.digest}`);
      expect(await inspected(`${name}:1`)).toMatchObject({ Id: configOf(image), Architecture: architecture });
      const alone = `team/multi@${image.digest}`;
      await daemon.docker('pull', `${host}/${alone}`);
      expect(await dockersTree(`${host}/${alone}`)).toEqual(await ourTree(alone));
    }
    await expect(daemon.docker('pull', `${name}:2`)).rejects.toThrow(/manifest unknown|not found/);
  });

  test('pushes to us, and no layer twice, whatever the repository', async () => {
    await addToStore('example.com/pushed:1', imageOf(DIFFICULT));
    await savedAndLoaded('example.com/pushed:1');
    async function pushed(name: string, image = 'example.com/pushed:1'): Promise<string> {
      await daemon.docker('tag', image, `${host}/${name}`);
      return daemon.docker('push', `${host}/${name}`);
    }
    const first = await pushed('team/pushed:1');
    expect(first.match(/: Pushed$/gm)).toHaveLength(3);
    const told = /^1: digest: (sha256:\w+) size: \d+$/m.exec(first)?.[1];
    expect(await digest(client, 'team/pushed:1')).toBe(told);
    expect(await ourTree('team/pushed:1')).toEqual(await ourTree('example.com/pushed:1'));

    // A blob of the store is a blob of each of its repositories, so that nothing has to be mounted.
    expect((await pushed('team/other:1')).match(/: Layer already exists$/gm)).toHaveLength(3);
    expect(await digest(client, 'team/other:1')).toBe(told);

    const container = await daemon.docker('create', 'example.com/pushed:1');
    writeFileSync(join(dir, 'more'), 'a layer above');
    await daemon.docker('cp', join(dir, 'more'), `${container}:/more`);
    await daemon.docker('commit', container, 'example.com/more:1');
    const third = await pushed('team/pushed:2', 'example.com/more:1');
    expect(third.match(/: Layer already exists$/gm)).toHaveLength(3);
    expect(third.match(/: Pushed$/gm)).toHaveLength(1);
    expect(await ourTree('team/pushed:2')).toEqual(await dockersTree('example.com/more:1'));
    expect(await store.check()).toMatchObject({ ok: true });
  });

  test('pushes an index that it made of images with us', async () => {
    for (const architecture of ['amd64', 'arm64']) {
      const image = imageOf([['gzip', file('etc/listed', architecture)]], architecture);
      await addToStore(`docker.io/team/listed:${architecture}`, image);
    }
    const name = `${host}/team/listed`;
    await daemon.docker('manifest', 'create', '--insecure', `${name}:1`, `${name}:amd64`, `${name}:arm64`);
    const told = await daemon.docker('manifest', 'push', '--insecure', `${name}:1`);
    expect(await digest(client, 'team/listed:1')).toBe(told);
    expect(await daemon.docker('pull', `${name}:1`)).toContain(`Digest: ${told}`);
    expect(await store.check()).toMatchObject({ ok: true });
  });
});
