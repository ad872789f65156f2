// What size does to us: memory must stay flat, time must grow with the work and no faster.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Ground } from './ground.ts';
import { clean, unpackFromRegistry } from './jobs.ts';
import { type Contender, type Measured, measure, SLOW_RUNS } from './measure.ts';
import type { Row } from './rows.ts';
import { type Size, writeSyntheticImage } from './synthetic-image.ts';
import { grid } from './table.ts';

const MB = 1e6;
const MEMORY_SIZES = [100, 500, 1000, 5000];
const BYTES_PER_FILE = 50_000;
const MEMORY_GOAL = 250;

const GROWTH_UNIT: Size = { entries: 10_000, bytes: 100 * MB };
const GROWTH_FACTORS = [1, 2, 4, 8];
const GROWTH_GOAL = 0.15;

/** Peak memory of a pull and of an unpack from the registry, for images of 100 MB to 5 GB. */
export const memory: Row = (ground, runs) => {
  const images = MEMORY_SIZES.map((size) => ({
    size,
    name: pushSynthetic(ground, { entries: (size * MB) / BYTES_PER_FILE, bytes: size * MB }),
  }));
  const { at, ocitool, scratch } = ground;
  // A peak differs little between runs.
  const few = Math.min(runs, SLOW_RUNS);
  const pulls = images.map(
    ({ name }): Contender => ({
      name,
      role: 'ours',
      prepare: clean(ground),
      command: `${ocitool} pull --progress none --store ${at('b')} ${name}`,
    }),
  );
  const measured = measure(
    [...pulls, ...images.map(({ name }) => unpackFromRegistry(ground, name))],
    few,
    scratch,
  );
  const [pulled, unpacked] = [measured.slice(0, images.length), measured.slice(images.length)];
  const megabytes = (one?: Measured) => Math.round((one?.peakRss ?? Number.NaN) / MB);
  const rows = images.map(({ size }, i) => [
    `${size.toLocaleString('en')} MB`,
    ((size * MB) / BYTES_PER_FILE).toLocaleString('en'),
    String(megabytes(pulled[i])),
    String(megabytes(unpacked[i])),
    unpacked[i]?.wall.toFixed(2) ?? '',
  ]);
  const highest = Math.max(...measured.map(megabytes));
  const head = ['image, unpacked', 'entries', 'pull, peak MB', 'unpack, peak MB', 'unpack, wall s'];
  return {
    text: `### Memory by size of the image\n\nMedians of ${few} runs.\n\n${grid(head, rows)}`,
    verdicts: [
      {
        job: 'Peak RSS, 100 MB to 5 GB',
        against: '',
        measured: `${highest} MB`,
        toReach: `≤ ${MEMORY_GOAL} MB`,
        reached: highest <= MEMORY_GOAL,
      },
    ],
  };
};

/** Time of an unpack from the registry for 1, 2, 4 and 8 times the entries and bytes. */
export const growth: Row = (ground, runs) => {
  const contenders = GROWTH_FACTORS.map((factor) => {
    const { entries, bytes } = GROWTH_UNIT;
    return unpackFromRegistry(
      ground,
      pushSynthetic(ground, { entries: entries * factor, bytes: bytes * factor }),
    );
  });
  const measured = measure(contenders, runs, ground.scratch);
  const perUnit = measured.map(({ wall }, i) => wall / (GROWTH_FACTORS[i] ?? Number.NaN));
  const deviations = perUnit.map((time) => time / (perUnit[0] ?? Number.NaN) - 1);
  const rows = measured.map(({ wall, cpu, peakRss }, i) => {
    const factor = GROWTH_FACTORS[i] ?? Number.NaN;
    const before = measured[i - 1];
    const step = factor - (GROWTH_FACTORS[i - 1] ?? 0);
    return [
      `${factor}x: ${(GROWTH_UNIT.entries * factor).toLocaleString('en')} entries, ${(GROWTH_UNIT.bytes * factor) / MB} MB`,
      wall.toFixed(2),
      cpu.toFixed(2),
      String(Math.round(peakRss / MB)),
      (perUnit[i] ?? Number.NaN).toFixed(3),
      percent(deviations[i] ?? Number.NaN),
      before === undefined ? '' : ((wall - before.wall) / step).toFixed(3),
    ];
  });
  const worst = Math.max(...deviations);
  const head = ['', 'wall, s', 'CPU, s', 'peak RSS, MB', 's per unit', 'against 1x', 's for each unit added'];
  return {
    text: `### Cost as work grows\n\nMedians of ${runs} runs; a unit is 1x.\n\n${grid(head, rows)}`,
    verdicts: [
      {
        job: 'Cost of 8 times the work, for each unit',
        against: '1x',
        measured: percent(worst),
        toReach: `≤ ${percent(GROWTH_GOAL)}`,
        reached: worst <= GROWTH_GOAL,
      },
    ],
  };
};

function percent(part: number): string {
  return `${part < 0 ? '−' : '+'}${Math.abs(part * 100).toFixed(0)} %`;
}

function pushSynthetic({ scratch, address, push }: Ground, size: Size): string {
  const layout = join(scratch, 'synthetic');
  const name = `${address}/bench/synthetic:${size.entries}-${size.bytes}`;
  writeSyntheticImage(layout, size);
  push(layout, name);
  rmSync(layout, { recursive: true });
  return name;
}
