// The bytes of a layer's index (docs/design/layer-index.md): a few numbers, a JSON document, then columns as memory has
// them, the names and two long strings, so that 100,000 entries are read in a few milliseconds. Made and read on one machine:
// numbers are in its own byte order.
import type { Checkpoint } from '../layer/checkpoints.ts';
import type { Digest } from '../reference/digest.ts';
import type { EntryLog } from './entry-log.ts';
import type { LayerIndex } from './layer-index.ts';
import type { LayerStats } from './layer-source.ts';

/** Read with this machine's byte order: a store from a machine of the other order has no indexes. */
const MAGIC = 0x49_43_4f_01;
/** A new number makes all indexes be made again. */
const VERSION = 3;
/** Magic, version, checksum of what follows the checksum, length of the document: 32 bits each. */
const HEAD = 16;
const CHECKED_FROM = 12;
/** For columns of 64 bits. */
const ALIGN = 8;

/** What is not a column. Lengths are in bytes. */
interface Document {
  stats: LayerStats;
  use: LayerIndex['use'];
  count: number;
  names: number;
  folders: number;
  links: number;
  devices: number[];
  /** Values in base64. */
  xattrs: [entry: number, values: [name: string, value: string][]][];
  checkpoints: (Omit<Checkpoint, 'window'> & { window: number })[];
}

/** The widest first, so that each is aligned. */
const COLUMNS = [
  ['mtimes', Float64Array],
  ['sizes', Float64Array],
  ['offsets', Float64Array],
  ['uids', Uint32Array],
  ['gids', Uint32Array],
  ['mtimeNanos', Uint32Array],
  ['parents', Uint32Array],
  ['nameEnds', Uint32Array],
  ['modes', Uint16Array],
  ['kinds', Uint8Array],
] as const satisfies [keyof EntryLog, unknown][];

/** The index as the bytes of its file. */
export function encodeLayerIndex({ log, stats, use, checkpoints }: LayerIndex): Uint8Array {
  const text = Buffer.from(
    JSON.stringify({
      stats,
      use,
      count: log.count,
      names: log.names.length,
      folders: log.folders.length,
      links: log.links.length,
      devices: log.devices,
      xattrs: [...log.xattrs].map(([entry, values]) => [
        entry,
        [...values].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      ]),
      checkpoints: checkpoints.map(({ window, ...place }) => ({ ...place, window: window.length })),
    } satisfies Document),
  );
  const parts: Uint8Array[] = [
    Buffer.alloc(HEAD),
    text,
    Buffer.alloc(-text.length & (ALIGN - 1)),
    ...COLUMNS.map(([name]) => bytesOfColumn(log[name])),
    log.names,
    Buffer.from(log.folders, 'latin1'),
    Buffer.from(log.links, 'latin1'),
    ...checkpoints.map(({ window }) => window),
  ];
  // With memory of its own, which can move to another thread.
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const head = new Uint32Array(bytes.buffer, bytes.byteOffset, HEAD / 4);
  head[0] = MAGIC;
  head[1] = VERSION;
  head[3] = text.length;
  head[2] = checksum(bytes);
  return bytes;
}

function bytesOfColumn({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * The index of the layer `digest` in `bytes`, whose memory it goes on using; undefined when they are damaged or not
 * that. `bytes` begin their buffer.
 */
export function decodeLayerIndex(bytes: Buffer, digest: Digest): LayerIndex | undefined {
  if (bytes.length < HEAD) return undefined;
  const [magic, version, sum, length = 0] = new Uint32Array(bytes.buffer, 0, HEAD / 4);
  if (magic !== MAGIC || version !== VERSION || sum !== checksum(bytes)) return undefined;
  const document = JSON.parse(bytes.toString('utf8', HEAD, HEAD + length)) as Document;
  const { stats, use, count, devices } = document;
  if (stats.digest !== digest) return undefined;

  let at = HEAD + length + (-length & (ALIGN - 1));
  const take = (size: number): number => {
    at += size;
    return at - size;
  };
  const column = <Column>(Type: ColumnType<Column>): Column =>
    new Type(bytes.buffer, take(count * Type.BYTES_PER_ELEMENT), count);
  const text = (size: number): string => bytes.toString('latin1', take(size), at);
  const log: EntryLog = {
    count,
    staged: new Uint8Array(count),
    mtimes: column(Float64Array),
    sizes: column(Float64Array),
    offsets: column(Float64Array),
    uids: column(Uint32Array),
    gids: column(Uint32Array),
    mtimeNanos: column(Uint32Array),
    parents: column(Uint32Array),
    nameEnds: column(Uint32Array),
    modes: column(Uint16Array),
    kinds: column(Uint8Array),
    names: bytes.subarray(take(document.names), at),
    folders: text(document.folders),
    links: text(document.links),
    devices,
    xattrs: new Map(
      document.xattrs.map(([entry, values]) => [
        entry,
        new Map(values.map(([name, value]) => [name, Uint8Array.from(Buffer.from(value, 'base64'))])),
      ]),
    ),
  };
  const checkpoints = document.checkpoints.map(({ window, ...place }) => ({
    ...place,
    window: bytes.subarray(take(window), at),
  }));
  return { log, stats, use, checkpoints };
}

interface ColumnType<Column> {
  new (buffer: ArrayBufferLike, offset: number, length: number): Column;
  readonly BYTES_PER_ELEMENT: number;
}

/** Of what follows its own place; `bytes` begin their buffer. For damage, not for malice; node:zlib takes 5 ms to load. */
function checksum(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2);
  let sum = bytes.length;
  for (let at = CHECKED_FROM / 4; at < words.length; at++) {
    sum = Math.imul(sum ^ (words[at] as number), 0x9e37_79b1);
    sum ^= sum >>> 15;
  }
  for (let at = words.length * 4; at < bytes.length; at++)
    sum = Math.imul(sum ^ (bytes[at] as number), 0x85eb_ca6b);
  return sum >>> 0;
}
