// Files of an image as `ls -l` shows them.
import type { Listing } from '../rootfs/listing.ts';
import type { ListedNode } from '../rootfs/look.ts';
import type { Facts } from '../rootfs/row-facts.ts';
import { inodeOf, type NodeKind, textOf } from '../rootfs/tree.ts';
import { printable } from './format.ts';

const LETTERS = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
} satisfies Record<NodeKind, string>;

const KINDS = Object.keys(LETTERS);

/** One entry as JSON (docs/json.md). */
export function describeNode({ path, node }: ListedNode): Record<string, unknown> {
  const { kind, mode, uid, gid, size, target, mtime, mtimeNanos, major, minor } = inodeOf(node);
  return {
    path,
    kind,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    size,
    mtime: mtime + mtimeNanos / 1e9,
    layer: node.layer + 1,
    ...(kind === 'symlink' && { target: textOf(target) }),
    ...((kind === 'char' || kind === 'block') && { major, minor }),
  };
}

/**
 * A listing as lines: mode, owner, size, time, layer, name. As bytes and not by `formatTable`, which takes a second for
 * 100,000 files: all cells but size and name are the same few in nearly all lines, and a name is bytes already.
 */
export function listingBytes(listing: Listing): Uint8Array {
  const { count, names } = listing;
  const whoOf = remembered(({ kind, mode, uid, gid }) => [
    LETTERS[kind] + permissions(mode),
    `${uid}:${gid}`,
  ]);
  const whenOf = remembered(({ mtime, layer }) => [time(mtime), String(layer + 1)]);
  const who = (facts: Facts): Cells =>
    whoOf(facts, (KINDS.indexOf(facts.kind) << 12) | facts.mode, facts.uid, facts.gid);
  const when = (facts: Facts): Cells => whenOf(facts, Math.floor(facts.mtime / 60), facts.layer, 0);

  const width = { mode: 4, owner: 5, size: 4, time: 4, layer: 5 };
  // Not an object for each line: those live long enough to be copied, and cost a sixth of the listing.
  const lefts: Cells[] = [];
  const rights: Cells[] = [];
  const sizes = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const facts = listing.facts(at);
    const [left, right] = [who(facts), when(facts)];
    lefts.push(left);
    rights.push(right);
    sizes[at] = isDevice(facts) ? DEVICE : facts.size;
    width.mode = Math.max(width.mode, left.first.length);
    width.owner = Math.max(width.owner, left.second.length);
    width.size = Math.max(width.size, sizeText(facts).length);
    width.time = Math.max(width.time, right.first.length);
    width.layer = Math.max(width.layer, right.second.length);
  }
  const leftText = (mode: string, owner: string): string =>
    `${mode.padEnd(width.mode)}  ${owner.padEnd(width.owner)}  `;
  const rightText = (time: string, layer: string): string =>
    `  ${time.padEnd(width.time)}  ${layer.padStart(width.layer)}  `;

  const titles = `${leftText('MODE', 'OWNER')}${'SIZE'.padStart(width.size)}${rightText('TIME', 'LAYER')}PATH\n`;
  let out: Buffer = Buffer.allocUnsafeSlow(titles.length + count * (titles.length + 32));
  let length = out.write(titles, 'latin1');
  for (let at = 0; at < count; at++) {
    const [left, right, size] = [lefts[at] as Cells, rights[at] as Cells, sizes[at] as number];
    left.bytes ??= Buffer.from(leftText(left.first, left.second), 'latin1');
    right.bytes ??= Buffer.from(rightText(right.first, right.second), 'latin1');
    const folder = listing.folder(at);
    const [start, end] = [listing.start(at), listing.end(at)];
    out = withRoom(out, length, titles.length + folder.length + end - start + 2);
    length = put(out, length, left.bytes, 0, left.bytes.length);
    length = putRight(out, length, size === DEVICE ? sizeText(listing.facts(at)) : String(size), width.size);
    length = put(out, length, right.bytes, 0, right.bytes.length);
    if (isPlain(left.first[0], folder, names, start, end)) {
      length = put(out, length, folder, 0, folder.length);
      length = put(out, length, names, start, end);
      if (left.first[0] === LETTERS.directory) out[length++] = SLASH;
    } else {
      const path = Buffer.concat([folder, names.subarray(start, end)]).toString();
      const shown = Buffer.from(shownPath(path, listing.facts(at)));
      out = withRoom(out, length, shown.length + 1);
      length = put(out, length, shown, 0, shown.length);
    }
    out[length++] = NEWLINE;
  }
  return out.subarray(0, length);
}

/** Two cells that many lines have in common, and their bytes once widths are known. */
interface Cells {
  first: string;
  second: string;
  bytes?: Uint8Array;
}

/** `make`, which is asked once for each three numbers; most lines have those of the line before. */
function remembered(
  make: (facts: Facts) => [first: string, second: string],
): (facts: Facts, a: number, b: number, c: number) => Cells {
  const known = new Map<string, Cells>();
  let last: Cells | undefined;
  let [lastA, lastB, lastC] = [0, 0, 0];
  return (facts, a, b, c) => {
    if (last !== undefined && a === lastA && b === lastB && c === lastC) return last;
    const key = `${a} ${b} ${c}`;
    let cells = known.get(key);
    if (cells === undefined) {
      const [first, second] = make(facts);
      cells = { first, second };
      known.set(key, cells);
    }
    [last, lastA, lastB, lastC] = [cells, a, b, c];
    return cells;
  };
}

/** Among sizes: the numbers of a device are shown instead. */
const DEVICE = -1;

function isDevice({ kind }: Facts): boolean {
  return kind === 'char' || kind === 'block';
}

function sizeText(facts: Facts): string {
  return isDevice(facts) ? `${facts.major},${facts.minor}` : String(facts.size);
}

const [SPACE, SLASH, NEWLINE, TILDE] = [0x20, 0x2f, 0x0a, 0x7e];

function withRoom(out: Buffer, length: number, more: number): Buffer {
  if (length + more <= out.length) return out;
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, length + more));
  out.copy(larger, 0, 0, length);
  return larger;
}

/** By hand: a call of `set` takes longer than so few bytes. */
function put(out: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  for (let from = start; from < end; from++) out[at++] = bytes[from] as number;
  return at;
}

function putRight(out: Uint8Array, at: number, text: string, width: number): number {
  for (let left = width - text.length; left > 0; left--) out[at++] = SPACE;
  for (let from = 0; from < text.length; from++) out[at++] = text.charCodeAt(from);
  return at;
}

/** Whether a path is shown as it is, but for the slash of a directory. */
function isPlain(
  letter: string | undefined,
  folder: Uint8Array,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (letter === LETTERS.symlink) return false;
  if (letter !== LETTERS.directory && names[end - 1] === SPACE) return false;
  return isPrintable(folder, 0, folder.length) && isPrintable(names, start, end);
}

function isPrintable(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < SPACE || byte > TILDE) return false;
  }
  return true;
}

function shownPath(path: string, { kind, target }: Facts): string {
  if (kind === 'symlink') return printable(`${path} -> ${textOf(target)}`).trimEnd();
  return printable(kind === 'directory' ? `${path}/` : path).trimEnd();
}

/** `rwsr-x--t` */
function permissions(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'));
  const special = (at: number, bit: number, letter: string): void => {
    if ((mode & bit) !== 0) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  };
  special(2, 0o4000, 's');
  special(5, 0o2000, 's');
  special(8, 0o1000, 't');
  return bits.join('');
}

/** `2019-03-07 22:20`, UTC. */
function time(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(0, 16).replace('T', ' ');
}
