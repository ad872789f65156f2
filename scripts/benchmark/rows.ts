// The jobs on the reference image: who does them, by which command lines, and what we want to reach.
import { type Ground, has, sh, skipped } from './ground.ts';
import { clean, unpackFromRegistry } from './jobs.ts';
import { type Contender, measure } from './measure.ts';
import { containerd, floorOf, podman } from './peers.ts';
import { comparison, listing, type Outcome } from './table.ts';

export type Row = (ground: Ground, runs: number) => Outcome;

const START_UP_RUNS = 20;

/** Registry to store. */
export const pull: Row = (ground, runs) => {
  const { at, name, skopeo, ocitool, layers, scratch } = ground;
  const contenders: Contender[] = [
    {
      name: 'skopeo copy to an OCI layout',
      role: 'peer',
      goal: 0.9,
      prepare: clean(ground),
      command: `${skopeo} --src-tls-verify=false docker://${name} oci:${at('a')}:x`,
    },
  ];
  if (has('crane')) {
    contenders.push({
      name: 'crane pull --format oci',
      role: 'peer',
      goal: 0.9,
      prepare: clean(ground),
      command: `crane pull --insecure --format oci ${name} ${at('a')}`,
    });
  }
  contenders.push(...floorOf(ground, 'copy', layers), {
    name: 'ocitool pull',
    role: 'ours',
    prepare: clean(ground),
    command: `${ocitool} pull --progress none --store ${at('b')} ${name}`,
  });
  return comparison(
    'Registry to store',
    measure(contenders, runs, scratch),
    'The floor here: read, one SHA-256, write.',
  );
};

/** Registry to root file system; the blobs are kept. */
export const rootfs: Row = (ground, runs) => {
  const { at, name, skopeo, layers, scratch } = ground;
  const contenders: Contender[] = [];
  const notes: string[] = [];
  if (has('umoci')) {
    contenders.push({
      name: 'skopeo copy, umoci unpack',
      role: 'peer',
      goal: 0.2,
      slow: true,
      prepare: clean(ground),
      command: `${skopeo} --src-tls-verify=false docker://${name} oci:${at('a')}:x && umoci unpack --image ${at('a')}:x ${at('bundle')}`,
    });
  }
  if (has('podman')) {
    const { contender, note } = podman(ground);
    contenders.push(contender);
    if (note !== '') notes.push(note);
  }
  if (has('containerd') && has('ctr')) {
    contenders.push(containerd(ground));
    notes.push('containerd with its start and stop, which take a tenth of a second.');
  }
  contenders.push(...floorOf(ground, 'unpack', layers), {
    ...unpackFromRegistry(ground, name),
    name: 'ocitool unpack',
  });
  return comparison('Registry to root file system', measure(contenders, runs, scratch), notes.join(' '));
};

/** Store to root file system. */
export const stored: Row = (ground, runs) => {
  const { at, name, layers, ocitool, scratch } = ground;
  keepReference(ground);
  const contenders: Contender[] = [
    {
      // One over the other fails: tar does not put a file where a directory is.
      name: 'GNU tar -xzf of every layer in turn',
      role: 'peer',
      goal: 0.62,
      prepare: `${clean(ground)}; mkdir -p ${layers.map((_, i) => at(`tar/${i}`)).join(' ')}`,
      command: layers.map((layer, i) => `tar -xzf ${layer} -C ${at(`tar/${i}`)}`).join(' && '),
    },
    ...floorOf(ground, 'unpack', layers),
    {
      name: 'ocitool unpack',
      role: 'ours',
      prepare: clean(ground),
      command: `${ocitool} unpack --progress none --store ${at('kept')} ${name} ${at('rootfs')}`,
    },
  ];
  const note = 'tar checks and merges nothing: each layer goes into a directory of its own.';
  return comparison('Store to root file system', measure(contenders, runs, scratch), note);
};

/** zstd layers against gzip layers. */
export const zstd: Row = (ground, runs) => {
  if (ground.zstdName === undefined) {
    skipped('zstd', `${ground.layout}-zstd does not exist`);
    return { text: '', verdicts: [] };
  }
  const contenders: Contender[] = [
    {
      ...unpackFromRegistry(ground, ground.name),
      name: 'ocitool unpack, gzip layers',
      role: 'peer',
      goal: 0.85,
    },
    { ...unpackFromRegistry(ground, ground.zstdName), name: 'ocitool unpack, zstd layers' },
  ];
  return comparison('zstd layers, registry to root file system', measure(contenders, runs, ground.scratch));
};

/** Commands that have next to nothing to do. */
export const startup: Row = (ground, runs) => {
  const { at, ocitool, scratch } = ground;
  keepReference(ground);
  const contenders: Contender[] = [
    { name: '`node -e 0`', role: 'floor', command: 'node -e 0' },
    { name: '`ocitool --version`', role: 'ours', command: `${ocitool} --version` },
    { name: '`ocitool --help`', role: 'ours', command: `${ocitool} --help` },
    { name: '`ocitool images`', role: 'ours', command: `${ocitool} images --store ${at('kept')}` },
  ];
  const measured = measure(contenders, runs === 1 ? 1 : Math.max(START_UP_RUNS, runs), scratch);
  return { text: listing('Start-up', measured), verdicts: [] };
};

/** A store that has the reference image, made once. */
export function keepReference({ at, ocitool, name }: Ground): void {
  sh(`${ocitool} pull --quiet --store ${at('kept')} ${name}`);
}
