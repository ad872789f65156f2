// Files of an image as `ls -l` shows them.
import type { ListedNode } from '../rootfs/look.ts';
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
 * The entries as lines: mode, owner, size, time, layer, name. Not by `formatTable`, which takes a second for 100,000
 * files: it makes a list for each of cells that are nearly all the same few.
 */
export function listingLines(listed: Iterable<ListedNode>): string[] {
  const modeOf = remembered(
    (key: number) => LETTERS[KINDS[key >> 12] as NodeKind] + permissions(key & 0o7777),
  );
  const timeOf = remembered((minutes: number) => time(minutes * 60));
  const rows = [{ mode: 'MODE', owner: 'OWNER', size: 'SIZE', time: 'TIME', layer: 'LAYER', path: 'PATH' }];
  for (const { path, node } of listed) {
    const { kind, mode, uid, gid, size, target, mtime, major, minor } = inodeOf(node);
    rows.push({
      mode: modeOf((KINDS.indexOf(kind) << 12) | mode),
      owner: `${uid}:${gid}`,
      size: kind === 'char' || kind === 'block' ? `${major},${minor}` : String(size),
      time: timeOf(Math.floor(mtime / 60)),
      layer: String(node.layer + 1),
      path: shownPath(path, kind, target),
    });
  }
  const width = { mode: 0, owner: 0, size: 0, time: 0, layer: 0 };
  for (const { mode, owner, size, time, layer } of rows) {
    width.mode = Math.max(width.mode, mode.length);
    width.owner = Math.max(width.owner, owner.length);
    width.size = Math.max(width.size, size.length);
    width.time = Math.max(width.time, time.length);
    width.layer = Math.max(width.layer, layer.length);
  }
  return rows.map(({ mode, owner, size, time, layer, path }) => {
    const who = `${mode.padEnd(width.mode)}  ${owner.padEnd(width.owner)}`;
    const when = `${time.padEnd(width.time)}  ${layer.padStart(width.layer)}`;
    return `${who}  ${size.padStart(width.size)}  ${when}  ${path}`;
  });
}

const PLAIN = /^[\x20-\x7e]*[\x21-\x7e]$/;

function shownPath(path: string, kind: NodeKind, target: string): string {
  let shown = path;
  if (kind === 'symlink') shown = `${path} -> ${textOf(target)}`;
  else if (kind === 'directory' && path !== '/') shown = `${path}/`;
  return PLAIN.test(shown) ? shown : printable(shown).trimEnd();
}

/** `make`, which is asked once for each key. */
function remembered(make: (key: number) => string): (key: number) => string {
  const known = new Map<number, string>();
  return (key) => {
    let text = known.get(key);
    if (text === undefined) {
      text = make(key);
      known.set(key, text);
    }
    return text;
  };
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
