// Questions about stored images: what listing very many files takes, and one file out of a very large layer.
import { join } from 'node:path';
import { type Ground, layersOf, sh } from './ground.ts';
import { type Contender, type Measured, measure, quote } from './measure.ts';
import { floorOf } from './peers.ts';
import { keepReference, type Row } from './rows.ts';
import { type Size, writeSyntheticImage } from './synthetic-image.ts';
import { listing } from './table.ts';

const ENTRIES = 76_000;
/** `ls` of that many: of `node -e 0`, and ms. */
const LS_GOAL = { times: 1.5, more: 150 };
/** One layer that deflates to 450 MB. */
const LARGE: Size = { entries: 20_000, bytes: 1_080_000_000, layers: 1 };
/** What `cat` of a file in it may take of inflating it. */
const CAT_GOAL = 1 / 20;
const CAT = '`cat` of a file in a layer of 450 MB';

export const look: Row = (ground, runs) => {
  const { at, name, layers, ocitool, scratch } = ground;
  const files = ENTRIES.toLocaleString('en');
  const ask = (command: string, image: string, path = '') =>
    `${ocitool} ${command} --store ${at('kept')} ${image} ${path && quote(path)}`;
  keepReference(ground);
  const many = keepSynthetic(ground, 'many-files', { entries: ENTRIES, bytes: ENTRIES * 200 });
  const large = keepSynthetic(ground, 'large-layer', LARGE);
  const [inReference, inLarge] = [smallFile(ground, name), smallFile(ground, large.name)];
  const inflate = (file: Listed, of: string[], what: string): Contender[] =>
    floorOf(ground, 'inflate', of.slice(file.layer - 1, file.layer)).map((floor) => ({
      ...floor,
      name: `inflate ${what}, in C`,
    }));
  const contenders: Contender[] = [
    { name: '`node -e 0`', role: 'floor', command: 'node -e 0' },
    { name: `\`ls\` of an image of ${files} entries`, role: 'ours', command: ask('ls', many.name) },
    { name: `\`ls --recursive\` of it`, role: 'ours', command: ask('ls --recursive', many.name) },
    { name: '`ls` of the reference image', role: 'ours', command: ask('ls', name) },
    { name: '`cat` of a small file of it', role: 'ours', command: ask('cat', name, inReference.path) },
    ...inflate(inReference, layers, 'the layer of that file'),
    {
      name: '`cat` of a file in a layer of 450 MB',
      role: 'ours',
      command: ask('cat', large.name, inLarge.path),
    },
    {
      name: '`gzip -dc` of that layer',
      role: 'peer',
      command: `gzip -dc ${large.layers.join(' ')} >/dev/null`,
    },
    ...inflate(inLarge, large.layers, 'that layer'),
  ];
  const measured = measure(contenders, runs, scratch);
  const found = (start: string) => measured.find((one) => one.name.startsWith(start)) as Measured;
  const allowed = found('`node').wall * LS_GOAL.times + LS_GOAL.more / 1000;
  const ratio = found(CAT).wall / found('`gzip').wall;
  return {
    text: listing('Looking into stored images', measured),
    verdicts: [
      ...[found('`ls` of an image'), found('`ls --recursive')].map((ls) => ({
        job: ls.name.replace(' of it', `, ${files} lines`),
        against: '',
        measured: `${(ls.wall * 1000).toFixed(0)} ms`,
        toReach: `≤ ${(allowed * 1000).toFixed(0)} ms`,
        reached: ls.wall <= allowed,
      })),
      {
        job: CAT,
        against: 'gzip -dc of the layer',
        measured: ratio.toFixed(3),
        toReach: `≤ ${CAT_GOAL}`,
        reached: ratio <= CAT_GOAL,
      },
    ],
  };
};

/** An image in the store, and the files of its layers. */
function keepSynthetic(ground: Ground, label: string, size: Size): { name: string; layers: string[] } {
  const { at, ocitool, scratch, address } = ground;
  const layout = join(scratch, label);
  const name = `${address}/bench/${label}:1`;
  writeSyntheticImage(layout, size);
  ground.push(layout, name);
  sh(`${ocitool} pull --quiet --store ${at('kept')} ${name}`);
  return { name, layers: layersOf(layout) };
}

interface Listed {
  path: string;
  kind: string;
  size: number;
  /** From 1. */
  layer: number;
}

/** One in the middle of the layer that has most files. The store then has an index of each layer. */
function smallFile({ at, ocitool }: Ground, name: string): Listed {
  const answer = sh(`${ocitool} ls --recursive --json --store ${at('kept')} ${name}`);
  const { entries } = JSON.parse(answer) as { entries: Listed[] };
  const files = entries.filter(({ kind, size }) => kind === 'file' && size > 0 && size <= 100_000);
  const [most] = [...Map.groupBy(files, ({ layer }) => layer).values()].toSorted(
    (a, b) => b.length - a.length,
  );
  const file = most?.[most.length >> 1];
  if (file === undefined) throw new Error(`no small file in ${name}`);
  return file;
}
