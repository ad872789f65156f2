// The store as a registry against docker-registry: the same image to the same clients, and many clients at once.
import { performance } from 'node:perf_hooks';
import { type Ground, has, manifestOf, sh } from './ground.ts';
import { clean } from './jobs.ts';
import { median } from './measure.ts';
import type { Row } from './rows.ts';
import { fetchBlobs, type Server, startRegistry, startServe } from './servers.ts';
import { writeSyntheticImage } from './synthetic-image.ts';
import { grid, type Outcome, type Verdict } from './table.ts';

const PULLS = 200;
const MOST_MEGABYTES = 300;
/** Two hundred pulls of the reference image would be 90 GB. */
const SMALL = { entries: 2000, bytes: 100e6 };
const IMAGE = 'bench/reference';

/** Wall and the server's CPU of one client, seconds. */
interface Taken {
  wall: number;
  cpu: number;
}

interface Client {
  name: string;
  /** Its command line for a registry. */
  command(address: string): string;
}

/** Both servers have both images. */
export const serve: Row = (ground, runs) => {
  const { at, ocitool, layout, push, scratch } = ground;
  const small = `${scratch}/small`;
  writeSyntheticImage(small, SMALL);
  const theirs = startRegistry(ground, 'serve-registry');
  try {
    push(layout, `${theirs.address}/${IMAGE}:1`);
    push(small, `${theirs.address}/bench/small:1`);
    for (const name of [IMAGE, 'bench/small'])
      sh(`${ocitool} pull --quiet --store ${at('served')} ${theirs.address}/${name}:1`);
    const ours = startServe(ground, 'served');
    try {
      const parts = [throughput(ground, runs, ours, theirs), crowd(small, ours, theirs)];
      return {
        text: parts.map(({ text }) => text).join('\n\n'),
        verdicts: parts.flatMap(({ verdicts }) => verdicts),
      };
    } finally {
      ours.stop();
    }
  } finally {
    theirs.stop();
    sh(`rm -rf ${at('served')} ${at('serve-registry')} ${at('small')}`);
  }
};

function clientsOf({ at, skopeo, layout }: Ground): Client[] {
  const { config, layers } = manifestOf(layout);
  const digests = [config, ...layers].map(({ digest }) => digest);
  const clients: Client[] = [
    { name: 'curl of all blobs', command: (address) => fetchBlobs(`${address}/v2/${IMAGE}`, digests) },
    {
      name: 'skopeo copy to a folder',
      command: (address) => `${skopeo} --src-tls-verify=false docker://${address}/${IMAGE}:1 dir:${at('a')}`,
    },
  ];
  if (has('crane')) {
    clients.push({
      name: 'crane pull',
      command: (address) => `crane pull --insecure --format oci ${address}/${IMAGE}:1 ${at('a')}`,
    });
  }
  return clients;
}

function throughput(ground: Ground, runs: number, ours: Server, theirs: Server): Outcome {
  const rows: string[][] = [];
  const verdicts: Verdict[] = [];
  const seconds = (value: number): string => value.toFixed(2);
  for (const { name, command } of clientsOf(ground)) {
    const taken = { ours: [] as Taken[], theirs: [] as Taken[] };
    for (let run = 0; run < runs; run += 1) {
      taken.ours.push(once(ground, ours, command(ours.address)));
      taken.theirs.push(once(ground, theirs, command(theirs.address)));
    }
    const of = (who: keyof typeof taken, what: keyof Taken): number =>
      median(taken[who].map((one) => one[what]));
    const ratio = of('ours', 'wall') / of('theirs', 'wall');
    rows.push([
      name,
      seconds(of('theirs', 'wall')),
      seconds(of('ours', 'wall')),
      ratio.toFixed(2),
      seconds(of('theirs', 'cpu')),
      seconds(of('ours', 'cpu')),
    ]);
    verdicts.push({
      job: `Serving to ${name}`,
      against: 'docker-registry',
      measured: ratio.toFixed(2),
      toReach: '≤ 1',
      reached: ratio <= 1,
    });
  }
  const head = [
    'client',
    'docker-registry, s',
    '`serve`, s',
    'takes of it',
    'its CPU, s',
    '`serve`’s CPU, s',
  ];
  const note = `Medians of ${runs} runs; CPU is the server's alone.`;
  return { text: ['### `serve` against docker-registry', note, grid(head, rows)].join('\n\n'), verdicts };
}

function once(ground: Ground, server: Server, command: string): Taken {
  sh(clean(ground));
  const [start, cpu] = [performance.now(), server.cpu()];
  sh(command);
  return { wall: (performance.now() - start) / 1000, cpu: server.cpu() - cpu };
}

/** Many pulls at once, each a curl with a connection for each blob. */
function crowd(layout: string, ours: Server, theirs: Server): Outcome {
  const { config, layers } = manifestOf(layout);
  const digests = [config, ...layers].map(({ digest }) => digest);
  const rows = Object.entries({ 'docker-registry': theirs, '`serve`': ours }).map(([name, server]) => {
    const pull = fetchBlobs(`${server.address}/v2/bench/small`, digests);
    const start = performance.now();
    sh(
      `for i in $(seq ${PULLS}); do ${pull} & pids="$pids $!"; done; for pid in $pids; do wait $pid || exit 1; done`,
    );
    const wall = (performance.now() - start) / 1000;
    return [name, wall.toFixed(1), String(Math.round(server.peakRss() / 1e6))];
  });
  const megabytes = Math.round(ours.peakRss() / 1e6);
  const note = `An image of ${SMALL.bytes / 1e6} MB, ${digests.length} blobs, each through a connection of its own.`;
  return {
    text: [`### ${PULLS} pulls at once`, note, grid(['', 'wall, s', 'peak RSS, MB'], rows)].join('\n\n'),
    verdicts: [
      {
        job: `${PULLS} pulls at once from \`serve\``,
        against: '',
        measured: `${megabytes} MB`,
        toReach: `≤ ${MOST_MEGABYTES} MB`,
        reached: megabytes <= MOST_MEGABYTES,
      },
    ],
  };
}
