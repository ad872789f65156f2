// The other tools that need more than a command line: podman and containerd with all their state in our folder, and the floor.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ground, sh } from './ground.ts';
import { clean } from './jobs.ts';
import type { Contender } from './measure.ts';
import { writePodmanImage } from './podman-image.ts';

export function floorOf(ground: Ground, job: 'unpack' | 'copy' | 'inflate', files: string[]): Contender[] {
  const { floor, at } = ground;
  if (floor === undefined) return [];
  const folder = job === 'inflate' ? '' : at('floor');
  const name = job === 'inflate' ? 'inflate one layer, in C' : 'the floor, in C';
  return [
    { name, role: 'floor', prepare: clean(ground), command: `${floor} ${job} ${folder} ${files.join(' ')}` },
  ];
}

export function podman(ground: Ground): { contender: Contender; note: string } {
  const { at, scratch, address, layout, push } = ground;
  const copy = join(scratch, 'podman-image');
  const renamed = writePodmanImage(layout, copy);
  const name = `${address}/bench/podman:1`;
  push(copy, name);
  sh(`rm -rf ${at('podman-image')}`);
  const [graph, run] = [join(scratch, 'podman/root'), join(scratch, 'podman/run')];
  writeFileSync(
    join(scratch, 'storage.conf'),
    `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`,
  );
  // Its other lock is in shared memory, one for all of the machine.
  writeFileSync(join(scratch, 'containers.conf'), '[engine]\nlock_type = "file"\n');
  return {
    contender: {
      name: 'podman pull (overlay)',
      role: 'peer',
      goal: 0.28,
      slow: true,
      prepare: clean(ground),
      command: `CONTAINERS_CONF=${at('containers.conf')} CONTAINERS_STORAGE_CONF=${at('storage.conf')} podman --root ${graph} --runroot ${run} pull -q --tls-verify=false ${name}`,
    },
    note:
      renamed.length === 0
        ? ''
        : `podman refuses a path that is twice in a layer: it got the same image with ${renamed.length} such member renamed.`,
  };
}

/** An instance of its own for each run, so that CPU and memory of the daemon count, and nothing of it stays. */
export function containerd(ground: Ground): Contender {
  const { at, scratch, name } = ground;
  const folder = join(scratch, 'containerd');
  const socket = join(folder, 'socket');
  const configuration = [
    'version = 2',
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `[grpc]\naddress = "${socket}"`,
    `[ttrpc]\naddress = "${socket}.ttrpc"`,
  ];
  writeFileSync(join(scratch, 'containerd.toml'), `${configuration.join('\n')}\n`);
  const ctr = `ctr --address ${socket}`;
  return {
    name: 'containerd pull (overlayfs)',
    role: 'peer',
    goal: 0.28,
    slow: true,
    prepare: `${clean(ground)}; mkdir ${at('containerd')}`,
    command: [
      `containerd --config ${at('containerd.toml')} >${folder}/log 2>&1 & pid=$!`,
      `trap 'kill $pid; wait $pid' EXIT`,
      `n=0; until ${ctr} version >${folder}/ready 2>&1; do n=$((n+1)); [ $n -lt 200 ] || exit 1; sleep 0.02; done`,
      `${ctr} -n bench images pull --plain-http --snapshotter overlayfs ${name} >${folder}/pulled`,
    ].join('\n'),
  };
}
