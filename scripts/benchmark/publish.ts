// A published port of a container: how much goes through it, and how much later it comes.
import { join } from 'node:path';
import { root, sh } from './ground.ts';
import { quote } from './measure.ts';
import type { Row } from './rows.ts';
import { grid } from './table.ts';

/** Bytes a second at least, and ms that a round trip may take longer. */
const RATE = 300e6;
const ADDED = 1;

type Probe = Record<'direct' | 'published', { rate: number; roundTrip: number }>;

export const publish: Row = (_ground, runs) => {
  const command = `node ${quote(join(root, 'scripts/benchmark/publish-probe.ts'))}`;
  const probes = Array.from({ length: runs }, () => JSON.parse(sh(command)) as Probe);
  const of = (read: (probe: Probe) => number): number =>
    probes.map(read).toSorted((a, b) => a - b)[runs >> 1] ?? 0;
  const rate = of((probe) => probe.published.rate);
  const added = of((probe) => probe.published.roundTrip - probe.direct.roundTrip);
  const megabytes = (value: number): string => `${Math.round(value / 1e6)}`;
  const row = (name: string, kind: keyof Probe): string[] => [
    name,
    megabytes(of((probe) => probe[kind].rate)),
    of((probe) => probe[kind].roundTrip).toFixed(3),
  ];
  const rows = [row('straight to the server', 'direct'), row('through the published port', 'published')];
  const note = `1 GB, and 2000 round trips of 32 bytes, on loopback; server, proxy and client share the cores. Medians of ${runs}.`;
  return {
    text: ['### A published port', note, grid(['', 'MB/s', 'round trip, ms'], rows)].join('\n\n'),
    verdicts: [
      {
        job: 'A published port',
        against: 'bytes a second',
        measured: `${megabytes(rate)} MB/s`,
        toReach: `≥ ${megabytes(RATE)} MB/s`,
        reached: rate >= RATE,
      },
      {
        job: 'A published port',
        against: 'the server without it',
        measured: `${added.toFixed(3)} ms more`,
        toReach: `≤ ${ADDED} ms`,
        reached: added <= ADDED,
      },
    ],
  };
};
