// An image with the layer structure of microsoft/dotnet:2.1-aspnetcore-runtime-alpine (2.1.8, February 2019) as an OCI
// layout: same layers, sizes, paths, history and media types, synthetic contents. The quickstart pulls it from `serve`.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, gzipSync } from 'node:zlib';
import { alpineLayer, runtimeDepsLayer } from './stand-in/alpine.ts';
import { aspnetLayer } from './stand-in/dotnet.ts';
import { type LayerTree, tarOf } from './stand-in/tree.ts';

/** The name people pulled the real one by. */
export const STAND_IN_NAME = 'docker.io/microsoft/dotnet:2.1-aspnetcore-runtime-alpine';

export interface StandInOptions {
  /** The name in the layout's index (`org.opencontainers.image.ref.name`). Default `STAND_IN_NAME`. */
  name?: string;
  /** A hundredth of the bytes, for tests. */
  small?: boolean;
}

const SMALL = 0.01;

interface Layer {
  descriptor: Descriptor;
  diffId: string;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

const DOCKER = 'application/vnd.docker';
const CREATED = '2019-03-08T03:01:38.116537632Z';
const ASPNET_RUN =
  '/bin/sh -c apk add --no-cache --virtual .build-deps         openssl     && wget -O aspnetcore.tar.gz https://dotnetcli.blob.core.windows.net/dotnet/aspnetcore/Runtime/$ASPNETCORE_VERSION/aspnetcore-runtime-$ASPNETCORE_VERSION-linux-musl-x64.tar.gz     && aspnetcore_sha512=\'00e8de304262439972210158bfc3b065bbe4a710a82bd20e67f0a79d15503790412072f814c5a20d4370b69fe917f45a16dfa16deb9e67ce45f5b5734aa51163\'     && echo "$aspnetcore_sha512  aspnetcore.tar.gz" | sha512sum -c -     && mkdir -p /usr/share/dotnet     && tar -zxf aspnetcore.tar.gz -C /usr/share/dotnet     && rm aspnetcore.tar.gz     && ln -s /usr/share/dotnet/dotnet /usr/bin/dotnet     && apk del .build-deps';
const ENV = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'ASPNETCORE_URLS=http://+:80',
  'DOTNET_RUNNING_IN_CONTAINER=true',
  'DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true',
  'ASPNETCORE_VERSION=2.1.8',
];

/**
 * Writes the stand-in into the folder `dir` as an OCI layout and gives the digest of its manifest list. The same bytes each
 * time: 13 MB + 147 MB of files for linux/amd64 as in the real one, and a small linux/arm64 (which 2.1.8 did not have).
 */
export function buildStandIn(dir: string, options: StandInOptions = {}): string {
  const scale = options.small ? SMALL : 1;
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
  const deps = writeLayer(dir, runtimeDepsLayer(), scale);
  const aspnet = aspnetLayer();
  const amd64 = [writeLayer(dir, alpineLayer('x86_64'), scale), deps, writeLayer(dir, aspnet, scale)];
  const arm64 = [writeLayer(dir, alpineLayer('aarch64'), scale), deps, writeLayer(dir, aspnet, SMALL)];
  const list = writeJson(dir, `${DOCKER}.distribution.manifest.list.v2+json`, {
    schemaVersion: 2,
    mediaType: `${DOCKER}.distribution.manifest.list.v2+json`,
    manifests: [
      { ...writeImage(dir, 'amd64', amd64), platform: { architecture: 'amd64', os: 'linux' } },
      { ...writeImage(dir, 'arm64', arm64), platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
    ],
  });
  const annotations = { 'org.opencontainers.image.ref.name': options.name ?? STAND_IN_NAME };
  const index = { schemaVersion: 2, manifests: [{ ...list, annotations }] };
  writeFileSync(join(dir, 'index.json'), `${JSON.stringify(index)}\n`);
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}\n');
  return list.digest;
}

function writeImage(dir: string, architecture: string, layers: Layer[]): Descriptor {
  const config = writeJson(dir, `${DOCKER}.container.image.v1+json`, {
    architecture,
    config: { Env: ENV, Cmd: ['/bin/sh'], WorkingDir: '', Entrypoint: null, Labels: null },
    created: CREATED,
    docker_version: '18.06.1-ce',
    history: history(layers[0]?.diffId),
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
  });
  return writeJson(dir, `${DOCKER}.distribution.manifest.v2+json`, {
    schemaVersion: 2,
    mediaType: `${DOCKER}.distribution.manifest.v2+json`,
    config,
    layers: layers.map((layer) => layer.descriptor),
  });
}

function writeLayer(dir: string, tree: LayerTree, scale: number): Layer {
  const tar = tarOf(tree, scale);
  // Huffman coding alone: 0.2 s for 147 MB, and no string search whose result depends on the processor's hash instructions.
  const gzip = gzipSync(tar, { strategy: constants.Z_HUFFMAN_ONLY, chunkSize: 1 << 20 });
  return { descriptor: writeBlob(dir, `${DOCKER}.image.rootfs.diff.tar.gzip`, gzip), diffId: digestOf(tar) };
}

function history(alpineDiffId = ''): object[] {
  const empty = (created: string, created_by: string) => ({ created, created_by, empty_layer: true });
  return [
    {
      created: '2019-03-07T22:19:46.661698137Z',
      created_by: `/bin/sh -c #(nop) ADD ${alpineDiffId.replace('sha256', 'file')} in / `,
    },
    empty('2019-03-07T22:19:46.815331171Z', '/bin/sh -c #(nop)  CMD ["/bin/sh"]'),
    {
      created: '2019-03-08T02:57:14.370246415Z',
      created_by:
        '/bin/sh -c apk add --no-cache         ca-certificates                 krb5-libs         libgcc         libintl         libssl1.0         libstdc++         tzdata         userspace-rcu         zlib     && apk -X https://dl-cdn.alpinelinux.org/alpine/edge/main add --no-cache         lttng-ust',
    },
    empty(
      '2019-03-08T02:57:15.026135227Z',
      '/bin/sh -c #(nop)  ENV ASPNETCORE_URLS=http://+:80 DOTNET_RUNNING_IN_CONTAINER=true DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true',
    ),
    empty('2019-03-08T03:01:27.284430932Z', '/bin/sh -c #(nop)  ENV ASPNETCORE_VERSION=2.1.8'),
    { created: CREATED, created_by: ASPNET_RUN },
  ];
}

function writeJson(dir: string, mediaType: string, document: object): Descriptor {
  return writeBlob(dir, mediaType, Buffer.from(JSON.stringify(document)));
}

function writeBlob(dir: string, mediaType: string, bytes: Buffer): Descriptor {
  const digest = digestOf(bytes);
  writeFileSync(join(dir, 'blobs', digest.replace(':', '/')), bytes);
  return { mediaType, digest, size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string' }, small: { type: 'boolean' } },
  });
  const [dir] = positionals;
  if (dir === undefined || positionals.length !== 1) {
    console.error('usage: node scripts/stand-in.ts DIR [--name REFERENCE] [--small]');
    process.exitCode = 2;
  } else {
    console.log(
      buildStandIn(dir, {
        ...(values.name ? { name: values.name } : {}),
        ...(values.small ? { small: true } : {}),
      }),
    );
  }
}
