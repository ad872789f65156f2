// The rules of layers, as slowly and plainly as can be: one flat map from path to node, scanned for everything.
// What the engine builds must be what this says.
import type { Seen } from './disk-snapshot.ts';
import type { Member } from './tar-builder.ts';

interface ModelNode {
  kind: string;
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since 1970. */
  mtime: bigint;
  /** A file's content or a symlink's target. */
  content: string;
  xattrs: string[];
  /** The layer that put the name here. */
  layer: number;
  /** Same number, same inode. */
  inode: number;
}

type Model = Map<string, ModelNode>;

/** What the layers come to, by path. Throws for what must be refused. Names are ASCII. */
export function modelOf(layers: ReadonlyArray<readonly Member[]>): Map<string, Seen> {
  const model: Model = new Map();
  let inodes = 0;
  layers.forEach((members, layer) => {
    for (const member of members) {
      const path = clean(String(member.name));
      if (path === '') {
        if (member.type !== '5') throw new Error('root');
        continue;
      }
      const base = path.split('/').pop() as string;
      const implied = implicit(member, layer);
      if (base === '.wh..wh..opq') {
        const directory = walk(model, up(path), implied) as string;
        wipe(model, directory, layer, false);
      } else if (base.startsWith('.wh.')) {
        const directory = walk(model, up(path), undefined);
        if (directory !== undefined) wipe(model, join(directory, base.slice(4)), layer, true);
      } else {
        const real = join(walk(model, up(path), implied) as string, base);
        put(model, real, member, layer, () => ++inodes);
      }
    }
  });
  return seenOf(model);
}

function put(model: Model, path: string, member: Member, layer: number, newInode: () => number): void {
  const there = model.get(path);
  if (member.type === '1') {
    const link = clean(String(member.link));
    const directory = link === '' ? undefined : walk(model, up(link), undefined);
    const target =
      directory === undefined ? undefined : model.get(join(directory, link.split('/').pop() as string));
    if (target === undefined || target.kind === 'directory') throw new Error('link');
    erase(model, path);
    model.set(path, { ...target, layer });
    return;
  }
  const kind = kindOf(member);
  if (kind !== 'directory' || there?.kind !== 'directory') erase(model, path);
  model.set(path, {
    kind,
    mode: member.mode ?? 0o644,
    uid: member.uid ?? 0,
    gid: member.gid ?? 0,
    mtime: mtimeOf(member),
    content: kind === 'symlink' ? String(member.link) : kind === 'file' ? String(member.content ?? '') : '',
    xattrs: xattrsOf(member),
    layer,
    inode: newInode(),
  });
}

/** A directory nobody declared. */
function implicit(member: Member, layer: number): ModelNode {
  const mtime = mtimeOf(member);
  return { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime, content: '', xattrs: [], layer, inode: 0 };
}

function kindOf({ type, major = 0, minor = 0 }: Member): string {
  // As glibc's makedev(3) for numbers this small.
  const number = major * 256 + minor;
  if (type === '3') return `char ${number}`;
  if (type === '4') return `block ${number}`;
  return type === '5' ? 'directory' : type === '2' ? 'symlink' : type === '6' ? 'fifo' : 'file';
}

function mtimeOf({ mtime = 1_600_000_000, pax }: Member): bigint {
  const [seconds = '', fraction = ''] = String(pax?.mtime ?? mtime).split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

function xattrsOf({ pax = {} }: Member): string[] {
  const prefix = 'SCHILY.xattr.';
  return Object.entries(pax)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => `${key.slice(prefix.length)}=${Buffer.from(value).toString('hex')}`)
    .sort();
}

/** The real path of a directory, symlinks followed inside the root; missing ones are made when `implied` is given. */
function walk(model: Model, path: string, implied: ModelNode | undefined): string | undefined {
  let real = '';
  let rest = path.split('/');
  let links = 0;
  while (rest.length > 0) {
    const name = rest[0] as string;
    rest = rest.slice(1);
    if (name === '' || name === '.') continue;
    if (name === '..') {
      real = up(real);
      continue;
    }
    const next = join(real, name);
    const node = model.get(next);
    if (node?.kind === 'symlink') {
      if (++links > 40) throw new Error('loop');
      if (node.content.startsWith('/')) real = '';
      rest = [...node.content.split('/'), ...rest];
    } else if (node?.kind === 'directory') real = next;
    else {
      if (implied === undefined) return undefined;
      if (node !== undefined && node.layer === implied.layer) throw new Error('not a directory');
      model.set(next, { ...implied });
      real = next;
    }
  }
  return real;
}

/** A whiteout: what lower layers put at and below `path` goes; of the path itself only with `itself`. */
function wipe(model: Model, path: string, layer: number, itself: boolean): void {
  const isBelow = (name: string): boolean => path === '' || name.startsWith(`${path}/`);
  const touched = [...model.keys()].filter((name) => isBelow(name) || (itself && name === path));
  const kept = touched.filter((name) => model.get(name)?.layer === layer);
  for (const name of touched) {
    const node = model.get(name) as ModelNode;
    if (node.layer === layer) continue;
    if (node.kind === 'directory' && kept.some((other) => other.startsWith(`${name}/`))) {
      model.set(name, { ...node, mode: 0o755, uid: 0, gid: 0, xattrs: [], layer });
    } else model.delete(name);
  }
}

function erase(model: Model, path: string): void {
  for (const name of [...model.keys()]) if (name === path || name.startsWith(`${path}/`)) model.delete(name);
}

function clean(path: string): string {
  const kept: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return kept.join('/');
}

function up(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function seenOf(model: Model): Map<string, Seen> {
  const paths = [...model.keys()];
  return new Map(
    [...model].map(([path, node]): [string, Seen] => {
      const { kind, mtime, content, inode, xattrs } = node;
      const names = paths.filter((other) => model.get(other)?.inode === inode).sort();
      return [
        path,
        {
          kind,
          mode: kind === 'symlink' ? 0 : node.mode,
          mtime,
          owner: process.geteuid?.() === 0 ? `${node.uid}:${node.gid}` : '',
          content,
          names: kind === 'directory' ? '' : names.join(' '),
          xattrs,
        },
      ];
    }),
  );
}
