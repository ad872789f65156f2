// The benchmark: one reference image, a registry on loopback, the same job by others and by us.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startDockerRegistry } from '../../test/support/docker-registry.ts';
import { type Contender, type Measured, measure, quote } from './measure.ts';
import { replaceSection, table } from './table.ts';

const root = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } });
const runs = Number(values.runs);
const image = resolve(process.env.OCITOOL_BENCH_IMAGE ?? '');
const scratch = mkdtempSync(join(tmpdir(), 'ocitool-bench-'));
const ocitool = quote(join(root, 'bin/ocitool.js'));
const skopeo = 'skopeo --insecure-policy copy --quiet';

interface Descriptor {
  digest: string;
  size: number;
}

/** The layers of the layout's only image. */
function layersOf(layout: string): Descriptor[] {
  const read = <T>(path: string) => JSON.parse(readFileSync(join(layout, path), 'utf8')) as T;
  const [entry] = read<{ manifests: Descriptor[] }>('index.json').manifests;
  return read<{ layers: Descriptor[] }>(`blobs/${entry?.digest.replace(':', '/')}`).layers;
}

function jobs(name: string, layers: string[]): { title: string; contenders: Contender[] }[] {
  const at = (path: string) => join(scratch, path);
  const remote = `--src-tls-verify=false docker://${name}`;
  return [
    {
      title: 'Registry to store: download and verify',
      contenders: [
        {
          name: 'skopeo copy',
          prepare: `rm -rf ${at('a')}`,
          command: `${skopeo} ${remote} oci:${at('a')}:x`,
        },
        {
          name: 'ocitool pull',
          prepare: `rm -rf ${at('b')}`,
          command: `${ocitool} pull --progress none --store ${at('b')} ${name}`,
        },
      ],
    },
    {
      title: 'Registry to root file system',
      contenders: [
        {
          name: 'skopeo copy, umoci unpack',
          prepare: `rm -rf ${at('a')} ${at('bundle')}`,
          command: `${skopeo} ${remote} oci:${at('a')}:x && umoci unpack --image ${at('a')}:x ${at('bundle')}`,
        },
        {
          name: 'ocitool unpack',
          prepare: `rm -rf ${at('b')} ${at('rootfs')}`,
          command: `${ocitool} unpack --progress none --store ${at('b')} docker://${name} ${at('rootfs')}`,
        },
      ],
    },
    {
      title: 'Store to root file system',
      contenders: [
        {
          // One over the other fails: tar does not put a file where a directory is.
          name: 'GNU tar -xzf, each layer in a directory of its own, nothing checked or merged',
          prepare: `rm -rf ${at('tar')}; mkdir -p ${layers.map((_, i) => at(`tar/${i}`)).join(' ')}`,
          command: layers.map((layer, i) => `tar -xzf ${layer} -C ${at(`tar/${i}`)}`).join(' && '),
        },
        {
          name: 'ocitool unpack',
          prepare: `rm -rf ${at('rootfs')}`,
          command: `${ocitool} unpack --progress none --store ${at('kept')} ${name} ${at('rootfs')}`,
        },
      ],
    },
  ];
}

/** Ratios here are of `node -e 0`, which is the floor. */
function startUp(): Measured[] {
  const store = `OCITOOL_STORE=${join(scratch, 'kept')}`;
  return measure(
    [
      { name: '`ocitool images`', command: `${store} ${ocitool} images` },
      { name: '`ocitool --help`', command: `${ocitool} --help` },
      { name: '`ocitool --version`', command: `${ocitool} --version` },
      { name: '`node -e 0`', command: 'node -e 0' },
    ],
    Math.max(20, runs),
    scratch,
  );
}

function machine(): string {
  const first = (command: string, ...args: string[]) =>
    execFileSync(command, args, { encoding: 'utf8' })
      .trim()
      .split('\n')[0]
      ?.replace(/ commit:.*/, '') ?? '';
  const [cpu] = cpus();
  return [
    `${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `files on ${first('stat', '-f', '-c', '%T', scratch)}`,
    `Node ${process.versions.node}`,
    first('skopeo', '--version'),
    first('umoci', '--version'),
    first('tar', '--version'),
  ].join('; ');
}

const registry = await startDockerRegistry();
try {
  const name = `${registry.address}/bench/reference:1`;
  const sh = (command: string) =>
    execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
  sh(`${skopeo} --dest-tls-verify=false oci:${image} docker://${name}`);
  sh(`${ocitool} pull --progress none --store ${join(scratch, 'kept')} ${name}`);
  const layers = layersOf(image);
  const files = layers.map(({ digest }) => join(image, 'blobs', digest.replace(':', '/')));
  const tables = jobs(name, files).map(({ title, contenders }) =>
    table(title, measure(contenders, runs, scratch)),
  );
  tables.push(table('Start-up', startUp()));
  const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const facts = `${layers.length} layers, ${Math.round(bytes / 1e6)} MB of gzip. ${machine()}. Medians of ${runs} runs (start-up ${Math.max(20, runs)}), the commands of a table in turn, files removed and synced before each run.`;
  replaceSection(join(root, 'docs/benchmarks.md'), 'measured', [facts, ...tables].join('\n\n'));
  console.log([facts, ...tables].join('\n\n'));
} finally {
  await registry.close();
  rmSync(scratch, { recursive: true, force: true });
}
