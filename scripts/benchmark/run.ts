// A container of a tiny image, to its end: podman's and ours, and what cannot be had for less.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBusyboxImage } from '../../test/support/busybox-image.ts';
import { type Ground, has, sh } from './ground.ts';
import { type Contender, measure, quote } from './measure.ts';
import type { Row } from './rows.ts';
import { comparison } from './table.ts';

/** A third of a second each: the median of few says little. */
const RUNS = 20;

/** `run --rm IMAGE true`, warm: the image is there and has run before. */
export const run: Row = (ground, runs) => {
  const { at, ocitool, scratch } = ground;
  const image = writeBusyboxImage(join(scratch, 'busybox'));
  const store = at('containers');
  sh(`${ocitool} load --quiet --store ${store} ${image} busybox:1`);
  const ours = `${ocitool} run --store ${store} --rm --network none busybox:1 true`;
  sh(ours);
  const contenders: Contender[] = [{ name: '`node -e 0`', role: 'floor', command: 'node -e 0' }];
  if (has('crun')) contenders.push(crun(ground, image));
  if (has('podman')) contenders.push(podman(ground));
  contenders.push({ name: 'ocitool run', role: 'ours', command: ours });
  const measured = measure(contenders, runs === 1 ? 1 : Math.max(RUNS, runs), scratch);
  const [node, driver] = ['`node -e 0`', 'crun alone'].map(
    (wanted) => measured.find(({ name }) => name === wanted)?.wall ?? 0,
  ) as [number, number];
  const own = (measured.at(-1)?.wall ?? 0) - node - driver;
  const note = `Ours takes ${Math.round(own * 1000)} ms more than Node's start and crun's work together.`;
  return comparison('A container of busybox running `true`, no network', measured, note);
};

/** The same work by the runtime alone. */
function crun({ at, ocitool }: Ground, image: string): Contender {
  sh(`${ocitool} unpack --quiet --bundle ${image} ${at('crun-bundle')}`);
  const config = `${at('crun-bundle')}/config.json`;
  const edit = `const f = process.argv[1], c = JSON.parse(fs.readFileSync(f, 'utf8'));
    c.process.args = ['true']; c.process.terminal = false; fs.writeFileSync(f, JSON.stringify(c));`;
  sh(`node -e "${edit}" ${config}`);
  const command = `crun --root ${at('crun-state')} run --bundle ${at('crun-bundle')} bench`;
  return { name: 'crun alone', role: 'floor', command: withoutUnified(command) };
}

/** crun refuses a machine that has cgroups of both versions, so it is shown one. */
function withoutUnified(command: string): string {
  const hide = 'if [ -d /sys/fs/cgroup/unified ]; then mount -t tmpfs none /sys/fs/cgroup/unified; fi';
  return `unshare --mount sh -c ${quote(`${hide}; exec ${command}`)}`;
}

function podman({ at, ocitool, scratch }: Ground): Contender {
  const [graph, state] = [at('podman-run/root'), at('podman-run/run')];
  writeFileSync(
    join(scratch, 'storage-run.conf'),
    `[storage]\ndriver = "overlay"\ngraphroot = ${JSON.stringify(join(scratch, 'podman-run/root'))}\nrunroot = ${JSON.stringify(join(scratch, 'podman-run/run'))}\n`,
  );
  writeFileSync(
    join(scratch, 'containers-run.conf'),
    '[engine]\nlock_type = "file"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n',
  );
  const files = `CONTAINERS_CONF=${at('containers-run.conf')} CONTAINERS_STORAGE_CONF=${at('storage-run.conf')}`;
  const command = `env ${files} podman --root ${graph} --runroot ${state}`;
  const archive = at('busybox.tar');
  sh(`${ocitool} save --quiet --store ${at('containers')} busybox:1 docker-archive:${archive}`);
  sh(`${command} load -q -i ${archive}`);
  return {
    name: 'podman run',
    role: 'peer',
    goal: 0.6,
    // Its own limits may be above what this machine allows.
    command: withoutUnified(
      `${command} run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --pull never docker.io/library/busybox:1 true`,
    ),
  };
}
