// A container of a tiny image, to its end: podman's and ours, and what cannot be had for less.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBusyboxImage } from '../../test/support/busybox-image.ts';
import { type Ground, has, sh } from './ground.ts';
import { type Contender, type Measured, measure, quote } from './measure.ts';
import type { Row } from './rows.ts';
import { comparison, type Outcome } from './table.ts';

/** A third of a second each: the median of few says little. */
const RUNS = 20;

/** `run --rm IMAGE true`, warm: the image is there and has run before. */
export const run: Row = (ground, runs) => {
  const { at, ocitool, scratch } = ground;
  const image = writeBusyboxImage(join(scratch, 'busybox'));
  const store = at('containers');
  sh(`${ocitool} load --quiet --store ${store} ${image} busybox:1`);
  const network = ownNetwork();
  try {
    const all = has('podman') ? podman(ground) : undefined;
    const alone = has('crun') ? [crun(ground, image)] : [];
    const job = (title: string, flags: string, goal?: number): Outcome => {
      const ours = network.command(`${ocitool} run --store ${store} --rm ${flags} busybox:1 true`);
      const theirs = all && network.command(all(flags));
      // Networks and trees are made with the first.
      for (const command of [ours, theirs]) if (command !== undefined) sh(command);
      const peer = { name: 'podman run', role: 'peer', ...(goal !== undefined && { goal }) } as const;
      const contenders: Contender[] = [
        { name: '`node -e 0`', role: 'floor', command: 'node -e 0' },
        ...alone,
        ...(theirs === undefined ? [] : [{ ...peer, command: theirs }]),
        { name: 'ocitool run', role: 'ours', command: ours },
      ];
      const measured = measure(contenders, runs === 1 ? 1 : Math.max(RUNS, runs), scratch);
      return comparison(title, measured, ownShare(measured));
    };
    const outcomes = [
      job('A container of busybox running `true`', '', 0.6),
      job('The same without a network', '--network none'),
    ];
    return {
      text: outcomes.map(({ text }) => text).join('\n\n'),
      verdicts: outcomes.flatMap(({ verdicts }) => verdicts),
    };
  } finally {
    network.close();
  }
};

function ownShare(measured: Measured[]): string {
  const [node, driver] = ['`node -e 0`', 'crun alone'].map(
    (wanted) => measured.find(({ name }) => name === wanted)?.wall ?? 0,
  ) as [number, number];
  const own = (measured.at(-1)?.wall ?? 0) - node - driver;
  return `Ours takes ${Math.round(own * 1000)} ms more than Node's start and crun's work together.`;
}

/** A network namespace that forwards, as a host with containers does: podman makes this of any, and leaves it so. */
function ownNetwork(): { command(line: string): string; close(): void } {
  const script = [
    'ip link set lo up',
    'ip link add outside type bridge',
    'ip addr add 10.99.0.2/24 dev outside',
    'ip link set outside up',
    'ip route add default via 10.99.0.1',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'exec sleep infinity',
  ].join(' && ');
  const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  const enter = `nsenter --target ${holder.pid} --net`;
  // It is ready when packets are forwarded.
  sh(
    `for try in $(seq 100); do [ "$(${enter} cat /proc/sys/net/ipv4/ip_forward)" = 1 ] && exit; sleep 0.1; done; exit 1`,
  );
  return {
    command: (line) => `${enter} sh -c ${quote(line)}`,
    close: () => void holder.kill(),
  };
}

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

/** The command line of podman with flags, once it has the image. */
function podman({ at, ocitool, scratch }: Ground): (flags: string) => string {
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
  // Its own limits may be above what this machine allows.
  const limits = '--ulimit nofile=1024:1024 --ulimit nproc=4096:4096';
  return (flags) =>
    withoutUnified(`${command} run --rm ${flags} ${limits} --pull never docker.io/library/busybox:1 true`);
}
