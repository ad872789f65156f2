// Files of an image as `ls -l` shows them.
import type { ListedNode } from '../rootfs/look.ts';
import { inodeOf, type NodeKind, textOf } from '../rootfs/tree.ts';
import { formatTable } from './table.ts';

const LETTERS = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
} satisfies Record<NodeKind, string>;

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

/** The entries as lines: mode, owner, size, time, layer, name. */
export function listingLines(listed: ListedNode[]): string[] {
  const rows = listed.map(({ path, node }) => {
    const { kind, mode, uid, gid, size, target, mtime, major, minor } = inodeOf(node);
    const arrow = kind === 'symlink' ? ` -> ${textOf(target)}` : '';
    return [
      LETTERS[kind] + permissions(mode),
      `${uid}:${gid}`,
      kind === 'char' || kind === 'block' ? `${major},${minor}` : String(size),
      time(mtime),
      String(node.layer + 1),
      `${path}${kind === 'directory' && path !== '/' ? '/' : ''}${arrow}`,
    ];
  });
  return formatTable(
    [
      { title: 'MODE' },
      { title: 'OWNER' },
      { title: 'SIZE', align: 'right' },
      { title: 'TIME' },
      { title: 'LAYER', align: 'right' },
      { title: 'PATH' },
    ],
    rows,
    { width: Number.POSITIVE_INFINITY },
  );
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
