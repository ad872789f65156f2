// The file tree of a made-up layer and its tar bytes: synthetic contents, so that nothing of a real image is copied,
// and the same bytes on every run and every machine.
import { createHash } from 'node:crypto';
import { Header } from 'tar';

/** What a layer of the stand-in is written from; paths are relative to the root, without leading slash. */
export type Entry =
  | { kind: 'dir'; path: string; mode: number }
  | { kind: 'symlink' | 'hardlink'; path: string; target: string }
  | { kind: 'text'; path: string; mode: number; gid: number; text: string }
  /** `bytes` of filler; the one with 'rest' takes what the layer lacks to its promised size. */
  | { kind: 'filler'; path: string; mode: number; bytes: number | 'rest' };

export function dir(path: string, mode = 0o755): Entry {
  return { kind: 'dir', path, mode };
}

export function symlink(path: string, target: string): Entry {
  return { kind: 'symlink', path, target };
}

export function hardlink(path: string, target: string): Entry {
  return { kind: 'hardlink', path, target };
}

export function text(path: string, content: string, options: { mode?: number; gid?: number } = {}): Entry {
  return { kind: 'text', path, mode: options.mode ?? 0o644, gid: options.gid ?? 0, text: content };
}

export function filler(path: string, bytes: number | 'rest', mode = 0o644): Entry {
  return { kind: 'filler', path, mode, bytes };
}

/** Filler is drawn from this many letters; without string matching, 9 letters deflate to 40 %, 16 to 50 %. */
export type Letters = 9 | 16;

/** One layer as `tarOf` wants it. */
export interface LayerTree {
  entries: Entry[];
  /** Bytes of file content in the whole layer, as docker counts a layer's size. */
  bytes: number;
  letters: Letters;
  /** Seconds since the epoch, for every entry. */
  mtime: number;
}

const BLOCK = 512;

/** The layer as an uncompressed ustar archive. `scale` shrinks every filler, for tests. */
export function tarOf(tree: LayerTree, scale: number): Buffer {
  const pool = fillerPool(tree.letters);
  const sized = sizesOf(tree, scale);
  const blocks = sized.reduce((sum, { size }) => sum + BLOCK + Math.ceil(size / BLOCK) * BLOCK, 2 * BLOCK);
  const tar = Buffer.alloc(blocks);
  let at = 0;
  for (const { entry, size } of sized) {
    writeHeader(tar, at, entry, size, tree.mtime);
    at += BLOCK;
    if (entry.kind === 'text') tar.write(entry.text, at);
    if (entry.kind === 'filler') fill(tar.subarray(at, at + size), entry.path, pool);
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
  return tar;
}

function sizesOf(tree: LayerTree, scale: number): { entry: Entry; size: number }[] {
  const sized = tree.entries.map((entry) => ({ entry, size: sizeOf(entry, scale) }));
  const known = sized.reduce((sum, { size }) => sum + size, 0);
  const rest = sized.find(({ entry }) => entry.kind === 'filler' && entry.bytes === 'rest');
  if (rest) rest.size = Math.max(BLOCK, Math.round(tree.bytes * scale) - known);
  return sized;
}

function sizeOf(entry: Entry, scale: number): number {
  if (entry.kind === 'text') return Buffer.byteLength(entry.text);
  if (entry.kind !== 'filler' || entry.bytes === 'rest') return 0;
  return Math.max(64, Math.round(entry.bytes * scale));
}

const TYPES = {
  dir: 'Directory',
  symlink: 'SymbolicLink',
  hardlink: 'Link',
  text: 'File',
  filler: 'File',
} as const;

function writeHeader(tar: Buffer, at: number, entry: Entry, size: number, mtime: number): void {
  const header = new Header({
    path: entry.kind === 'dir' ? `${entry.path}/` : entry.path,
    mode: 'mode' in entry ? entry.mode : entry.kind === 'symlink' ? 0o777 : 0o644,
    uid: 0,
    gid: 'gid' in entry ? entry.gid : 0,
    size,
    mtime: new Date(mtime * 1000),
    type: TYPES[entry.kind],
    ...('target' in entry ? { linkpath: entry.target } : {}),
  });
  if (header.encode(tar, at)) throw new Error(`${entry.path}: does not fit a ustar header`);
}

/** A line that says what this file stands for, then filler from a place in the pool that the path decides. */
function fill(into: Buffer, path: string, pool: Buffer): void {
  const start = createHash('sha256').update(path).digest().readUInt32LE(0) % pool.length;
  let at = into.write(`stand-in for /${path}\n`);
  let from = start;
  while (at < into.length) {
    at += pool.copy(into, at, from);
    from = 0;
  }
}

function fillerPool(letters: Letters): Buffer {
  const pool = Buffer.alloc(1 << 20);
  let state = 0x9e3779b9 + letters;
  for (let i = 0; i < pool.length; i++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const letter = (state >>> 0) % letters;
    pool[i] = letter === 0 ? 0x0a : 0x60 + letter;
  }
  return pool;
}
