// What size does to us: memory must stay flat, time must grow with the work and no faster.
import { join } from 'node:path';
import { type Ground, layersOf, sh } from './ground.ts';
import { clean, unpackFromRegistry } from './jobs.ts';
import { type Contender, type Measured, measure, SLOW_RUNS } from './measure.ts';
import { floorOf } from './peers.ts';
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
    name: pushSynthetic(ground, { entries: (size * MB) / BYTES_PER_FILE, bytes: size * MB }).name,
  }));
  const { at, ocitool, scratch } = ground;
  sh(`rm -rf ${scratch}/synthetic-*`);
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

/** Time of an unpack from the registry for 1, 2, 4 and 8 times the entries and bytes, and of the floor for the same. */
export const growth: Row = (ground, runs) => {
  const { entries, bytes } = GROWTH_UNIT;
  const contenders = GROWTH_FACTORS.flatMap((factor) => {
    const { name, layers } = pushSynthetic(ground, { entries: entries * factor, bytes: bytes * factor });
    return [...floorOf(ground, 'unpack', layers), unpackFromRegistry(ground, name)];
  });
  const measured = measure(contenders, runs, ground.scratch);
  const ours = measured.filter(({ role }) => role === 'ours');
  const floors = measured.filter(({ role }) => role === 'floor');
  const perUnit = ours.map(({ wall }, i) => wall / (GROWTH_FACTORS[i] ?? Number.NaN));
  const deviations = perUnit.map((time) => time / (perUnit[0] ?? Number.NaN) - 1);
  const rows = GROWTH_FACTORS.map((factor, i) => {
    const { wall, cpu, peakRss } = ours[i] as Measured;
    const before = ours[i - 1];
    const step = factor - (GROWTH_FACTORS[i - 1] ?? 0);
    const floor = floors[i];
    return [
      `${factor}x: ${(entries * factor).toLocaleString('en')} entries, ${(bytes * factor) / MB} MB`,
      wall.toFixed(2),
      cpu.toFixed(2),
      String(Math.round(peakRss / MB)),
      (wall / factor).toFixed(3),
      percent(deviations[i] ?? Number.NaN),
      before === undefined ? '' : ((wall - before.wall) / step).toFixed(3),
      floor === undefined ? '' : (wall / floor.wall).toFixed(2),
    ];
  });
  const worst = Math.max(...deviations);
  const head = [
    '',
    'wall, s',
    'CPU, s',
    'peak RSS, MB',
    's per unit',
    'against 1x',
    's for each unit added',
    'times the floor',
  ];
  const [last, lastFloor] = [ours.at(-1), floors.at(-1)];
  return {
    text: `### Cost as work grows\n\nMedians of ${runs} runs; a unit is 1x.\n\n${grid(head, rows)}`,
    verdicts: [
      {
        job: 'Cost of a unit, up to 8 times the work',
        against: '1x',
        measured: percent(worst),
        toReach: `≤ ${percent(GROWTH_GOAL)}`,
        reached: worst <= GROWTH_GOAL,
        overFloor: last && lastFloor && last.wall / lastFloor.wall,
      },
    ],
  };
};

function percent(part: number): string {
  return `${part < 0 ? '−' : '+'}${Math.abs(part * 100).toFixed(0)} %`;
}

/** Its name in the registry, and the files of its layers. */
function pushSynthetic(ground: Ground, size: Size): { name: string; layers: string[] } {
  const tag = `${size.entries}-${size.bytes}`;
  const layout = join(ground.scratch, `synthetic-${tag}`);
  const name = `${ground.address}/bench/synthetic:${tag}`;
  writeSyntheticImage(layout, size);
  ground.push(layout, name);
  return { name, layers: layersOf(layout) };
}
