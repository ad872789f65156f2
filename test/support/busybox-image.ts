// A small image that runs: busybox-static of this machine, whatever else a test puts on top, as an OCI layout.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostPlatform } from '../../src/manifest/platform.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { buildTar, directory, file, type Member, symlink } from './tar-builder.ts';
import { hasTools } from './tools.ts';

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n';
const GROUP = 'root:x:0:\ntty:x:5:\napp:x:1000:\nwheel:x:10:app\n';

/** True where busybox is installed and static; else false, with one printed line. */
export function hasBusybox(): boolean {
  return BUSYBOX !== undefined && hasTools('busybox');
}

export interface BusyboxImage {
  /** Of the image config's `config`. Default: the command `sh`. */
  config?: object;
  /** Entries of layers above the first, lowest first. */
  layers?: Member[][];
  /** Instead of busybox's own layer. */
  base?: Member[];
  architecture?: string;
}

/** The entries of the first layer: every applet, users root and app, the directories people expect. */
export function busyboxEntries(): Member[] {
  const applets = spawnSync(BUSYBOX as string, ['--list'], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n');
  return [
    ...['bin/', 'etc/', 'root/', 'home/', 'proc/', 'sys/', 'dev/', 'usr/', 'usr/bin/', 'var/'].map((name) =>
      directory(name),
    ),
    directory('tmp/', { mode: 0o1777 }),
    directory('home/app/', { uid: 1000, gid: 1000 }),
    file('bin/busybox', readFileSync(BUSYBOX as string), { mode: 0o755 }),
    ...applets.filter((name) => name !== 'busybox').map((name) => symlink(`bin/${name}`, 'busybox')),
    file('etc/passwd', PASSWD),
    file('etc/group', GROUP),
  ];
}

/** Writes an OCI layout to `dir`, tagged `latest`: `oci:DIR` is the image. */
export function writeBusyboxImage(dir: string, image: BusyboxImage = {}): string {
  const blobs = join(dir, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (content: Buffer | object, mediaType: string) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest, size: bytes.length };
  };
  const tars = [image.base ?? busyboxEntries(), ...(image.layers ?? [])].map(buildTar);
  const layers = tars.map((tar) => put(tar, 'layer.v1.tar'));
  const config = put(
    {
      os: 'linux',
      architecture: image.architecture ?? hostPlatform().architecture,
      config: image.config ?? { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      history: [],
    },
    'config.v1+json',
  );
  const manifest = put(
    { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers },
    'manifest.v1+json',
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  return `oci:${dir}`;
}
