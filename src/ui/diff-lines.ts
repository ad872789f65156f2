// The differences of two images as a person reads them: a sign, a size, what changed, a path; what was added or
// removed with everything in it is one line.
import type { ImageDiff, LayerSum } from '../client/diff.ts';
import type { DiffEntry } from '../rootfs/diff.ts';
import { inodeOf, textOf } from '../rootfs/tree.ts';
import { formatBytes, formatCount } from './format.ts';
import { describeNode } from './listing.ts';
import { formatTable } from './table.ts';

export type DiffOrder = 'path' | 'size';

/** Options of `diffLines`. */
export interface DiffLinesOptions {
  sort: DiffOrder;
  /** Each name below an added or removed directory gets its own line. */
  recursive: boolean;
  width: number;
}

/** An entry, with what was folded into it. */
interface Row {
  entry: DiffEntry;
  delta: number;
  /** Names below it, when the directory stands for them all. */
  below: number;
}

const SIGN = { added: '+', removed: '-', changed: '~' } satisfies Record<DiffEntry['change'], string>;

/** By path as they come, or what weighs most first. */
export function sortedEntries<T extends { delta: number }>(entries: readonly T[], order: DiffOrder): T[] {
  return order === 'path' ? [...entries] : entries.toSorted((a, b) => Math.abs(b.delta) - Math.abs(a.delta));
}

/** One entry as JSON (docs/json.md). */
export function describeDiffEntry({
  path,
  change,
  what,
  delta,
  before,
  after,
}: DiffEntry): Record<string, unknown> {
  const side = (node: DiffEntry['before']): unknown => {
    if (node === undefined) return undefined;
    const { path: _, ...rest } = describeNode({ path, node });
    return rest;
  };
  return { path, change, what, delta, before: side(before), after: side(after) };
}

export function diffLines(diff: ImageDiff, { sort, recursive, width }: DiffLinesOptions): string[] {
  const rows = sortedEntries(recursive ? diff.entries.map(alone) : folded(diff.entries), sort);
  const table = formatTable(
    [
      { title: '' },
      { title: 'SIZE', align: 'right' },
      { title: 'DELTA', align: 'right' },
      { title: 'WHAT' },
      { title: 'PATH' },
    ],
    rows.map((row) => [
      SIGN[row.entry.change],
      sizeOf(row),
      row.delta === 0 ? '-' : signed(row.delta),
      whatOf(row),
      pathOf(row.entry),
    ]),
    { width },
  );
  return [...(rows.length === 0 ? [] : [...table, '']), ...summaryLines(diff)];
}

const alone = (entry: DiffEntry): Row => ({ entry, delta: entry.delta, below: 0 });

/** Puts everything below an added or removed directory into the directory's line. */
function folded(entries: readonly DiffEntry[]): Row[] {
  const rows: Row[] = [];
  let top: Row | undefined;
  for (const entry of entries) {
    if (top !== undefined && entry.path.startsWith(`${top.entry.path}/`)) {
      top.below++;
      top.delta += entry.delta;
      continue;
    }
    const row = alone(entry);
    const node = entry.after ?? entry.before;
    top = entry.change !== 'changed' && node?.kind === 'directory' ? row : undefined;
    rows.push(row);
  }
  return rows;
}

function sizeOf({ entry: { before, after }, delta, below }: Row): string {
  const node = after ?? before;
  if (below > 0) return formatBytes(Math.abs(delta));
  return node?.kind === 'file' ? formatBytes(inodeOf(node).size) : '-';
}

function whatOf({ entry: { what, before, after }, below }: Row): string {
  const kinds = [before, after].map((node) => node?.kind);
  if (what.includes('kind')) return `now ${kinds[1]}`;
  if (what.length > 0) return what.filter((part) => part !== 'mtime' || what.length === 1).join(', ');
  return below === 0 ? (kinds[1] ?? kinds[0] ?? '') : `${formatCount(below + 1)} entries`;
}

function pathOf({ path, before, after }: DiffEntry): string {
  const node = after ?? before;
  if (node?.kind === 'directory') return path === '/' ? path : `${path}/`;
  return node?.kind === 'symlink' ? `${path} -> ${textOf(inodeOf(node).target)}` : path;
}

function summaryLines({
  added,
  removed,
  changed,
  timeOnly,
  unchanged,
  shared,
  before,
  after,
}: ImageDiff): string[] {
  const part = (what: string, { entries, bytes }: ImageDiff['added'], weight: string): string =>
    `${formatCount(entries)} ${what}${bytes === 0 ? '' : ` (${weight})`}`;
  return [
    [
      part('added', added, signed(added.bytes)),
      part('removed', removed, signed(-removed.bytes)),
      part('changed', changed, signed(changed.bytes)),
      `${formatCount(timeOnly)} touched`,
      `${formatCount(unchanged)} the same`,
    ].join(', '),
    `layers: ${layerSum(shared)} shared, ${layerSum(unshared(before, shared))} only in A, ${layerSum(unshared(after, shared))} only in B`,
  ];
}

function unshared(image: LayerSum, shared: LayerSum): LayerSum {
  return { layers: image.layers - shared.layers, size: image.size - shared.size };
}

function layerSum({ layers, size }: LayerSum): string {
  return layers === 0 ? '0' : `${layers} (${formatBytes(size)})`;
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${formatBytes(Math.abs(bytes))}`;
}
