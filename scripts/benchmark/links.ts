// One large layer over lines that are slow in two ways: for each connection, and for all of them together.
import { join } from 'node:path';
import type { Line } from '../../test/support/line.ts';
import { type Ground, root, sh } from './ground.ts';
import { clean } from './jobs.ts';
import { measure, quote } from './measure.ts';
import type { Row } from './rows.ts';
import { comparison, type Outcome } from './table.ts';

const MEGABYTES = 500;
const BYTES_PER_SECOND = 25e6;
const ROUND_TRIP = 50;
/** A run takes twenty seconds through one connection. */
const RUNS = 3;

/** Both lines. */
export const links: Row = (ground, runs) => {
  const outcomes = [
    overLine(ground, Math.min(runs, RUNS), {
      title: 'A line of 25 MB/s for each connection, 50 ms there and back',
      line: { perConnection: BYTES_PER_SECOND, roundTrip: ROUND_TRIP },
      goal: 1 / 3,
    }),
    overLine(ground, Math.min(runs, RUNS), {
      title: 'A line of 25 MB/s in all, 50 ms there and back',
      line: { total: BYTES_PER_SECOND, roundTrip: ROUND_TRIP },
      goal: 1 / 0.95,
    }),
  ];
  return {
    text: outcomes.map(({ text }) => text).join('\n\n'),
    verdicts: outcomes.flatMap(({ verdicts }) => verdicts),
  };
};

interface LineRow {
  title: string;
  line: Line;
  /** What ours may take of the time of a client with one connection. */
  goal: number;
}

function overLine(ground: Ground, runs: number, { title, line, goal }: LineRow): Outcome {
  const { at, ocitool, skopeo, scratch } = ground;
  const server = quote(join(root, 'scripts/benchmark/line-server.ts'));
  const address = at('line');
  const start = `node ${server} ${MEGABYTES} ${quote(JSON.stringify(line))} >${address} & echo $!`;
  const pid = sh(`rm -f ${address}; { ${start}; } </dev/null 2>/dev/null`).trim();
  try {
    const name = `${sh(`until [ -s ${address} ]; do sleep 0.1; done; cat ${address}`).trim()}/app:1`;
    const measured = measure(
      [
        {
          name: 'skopeo copy, one connection',
          role: 'peer',
          goal: Number(goal.toFixed(2)),
          prepare: clean(ground),
          command: `${skopeo} --src-tls-verify=false docker://${name} oci:${at('a')}:x`,
        },
        {
          name: 'ocitool pull',
          role: 'ours',
          prepare: clean(ground),
          command: `${ocitool} pull --progress none --platform linux/amd64 --store ${at('b')} ${name}`,
        },
      ],
      runs,
      scratch,
    );
    const least = (MEGABYTES * 1e6) / BYTES_PER_SECOND;
    return comparison(title, measured, `${MEGABYTES} MB in one layer: ${least} s through one connection.`);
  } finally {
    sh(`kill ${pid}`);
  }
}
