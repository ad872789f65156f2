// Reads a tar archive out of slabs, synchronously, handing out bodies without copying them. The rules are those of
// Go's archive/tar: what Go reads as the same entries, this does.
import { type LayerLimits, limitExceeded } from './limits.ts';
import { type PaxRecords, parsePax, paxInteger } from './pax.ts';
import {
  checkedRegions,
  padded,
  parseSparseMap,
  readOldSparseEntries,
  readSparseMap1,
  type SparseRegion,
} from './sparse.ts';
import type { EntryKind, TarEntry } from './tar-entry.ts';
import {
  BLOCK,
  invalidTar,
  isZeroBlock,
  type TarFormat,
  tarFormat,
  tarNumber,
  tarString,
  tarTime,
  verifyChecksum,
} from './tar-fields.ts';

export interface TarReader {
  /**
   * The next entry; what is left of the last one's body is skipped. Undefined at the end, with everything behind
   * the end mark read as well. Throws LAYER_INVALID and LIMIT_EXCEEDED.
   */
  next(): TarEntry | undefined;
  /**
   * The next piece of the entry's body, a view valid until the next call; undefined when there is no more.
   * Of a sparse file only the data comes; `bodyOffset` says where in the file a piece belongs.
   */
  body(): Buffer | undefined;
  /** Where the last piece of the body begins in the file. Bytes. */
  readonly bodyOffset: number;
  /** Where the entry's first header begins, those in front of its own included. Bytes from the archive's start. */
  readonly entryOffset: number;
  /** Headers seen, those without an entry of their own included. */
  readonly headers: number;
  /** Sum of the files' sizes so far, holes included. */
  readonly fileBytes: number;
}

/** What the headers in front of an entry say of it. */
interface Overrides {
  pax: PaxRecords | undefined;
  longName: string | undefined;
  longLink: string | undefined;
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file', // contiguous, which no system has
  S: 'file', // GNU sparse
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  D: 'directory', // GNU incremental: the body lists names
  '6': 'fifo',
};

/** Reads the archive whose bytes `nextSlab` gives: slabs of whole blocks, the last one excepted. */
export function readTar(nextSlab: () => Buffer | undefined, limits: LayerLimits): TarReader {
  let slab: Buffer = Buffer.alloc(0);
  let at = 0;
  /** Bytes in front of the slab. */
  let before = 0;
  let entryOffset = 0;
  let ended = false;
  let headers = 0;
  let fileBytes = 0;
  /** Of the current body: bytes stored and not yet handed out, and the padding behind them. */
  let left = 0;
  let padding = 0;
  let regions: SparseRegion[] | undefined;
  let region = 0;
  let regionDone = 0;
  let bodyOffset = 0;
  let bodyNext = 0;

  /** Moves to the next block; false at the end of the archive. `at` is where the block begins. */
  function toBlock(): boolean {
    if (at === slab.length) {
      const next = nextSlab();
      if (next === undefined) return false;
      before += slab.length;
      slab = next;
      at = 0;
    }
    if (slab.length - at < BLOCK) throw endsEarly();
    return true;
  }

  /** A copy-free view of the next block, which is used up. */
  function takeBlock(): Buffer {
    if (!toBlock()) throw endsEarly();
    at += BLOCK;
    return slab.subarray(at - BLOCK, at);
  }

  function skip(bytes: number): void {
    let togo = bytes;
    while (togo > 0) {
      if (at === slab.length) {
        const next = nextSlab();
        if (next === undefined) throw endsEarly();
        before += slab.length;
        slab = next;
        at = 0;
      }
      const step = Math.min(togo, slab.length - at);
      at += step;
      togo -= step;
    }
  }

  /** The whole body of a header that is about another entry. */
  function takeBody(size: number): Buffer {
    if (size > limits.headerBytes) throw limitExceeded('the layer', 'headerBytes', limits.headerBytes);
    const body = Buffer.allocUnsafe(padded(size));
    for (let done = 0; done < body.length; done += BLOCK) takeBlock().copy(body, done);
    return body.subarray(0, size);
  }

  function readEnd(): void {
    ended = true;
    slab = Buffer.alloc(0);
    at = 0;
    while (nextSlab() !== undefined);
  }

  function next(): TarEntry | undefined {
    if (ended) return undefined;
    skip(left + padding);
    left = 0;
    padding = 0;
    const overrides: Overrides = { pax: undefined, longName: undefined, longLink: undefined };
    entryOffset = before + at;
    for (;;) {
      if (!toBlock()) {
        ended = true;
        return undefined;
      }
      if (slab[at] === 0 && isZeroBlock(slab, at)) {
        at += BLOCK;
        if (toBlock() && !isZeroBlock(slab, at)) throw invalidTar('a single empty block');
        readEnd();
        return undefined;
      }
      verifyChecksum(slab, at);
      if (++headers > limits.entries) throw limitExceeded('the layer', 'entries', limits.entries);
      const header = at;
      at += BLOCK;
      const type = String.fromCharCode(slab[header + 156] as number);
      switch (type) {
        case 'x':
        case 'X': {
          const body = takeBody(fieldSize(slab, header));
          overrides.pax = parsePax(body);
          break;
        }
        case 'g': // says nothing about content that we would believe
          skip(padded(fieldSize(slab, header)));
          break;
        case 'L':
          overrides.longName = untilNul(takeBody(fieldSize(slab, header)));
          break;
        case 'K':
          overrides.longLink = untilNul(takeBody(fieldSize(slab, header)));
          break;
        default:
          return takeEntry(header, type, overrides);
      }
    }
  }

  function takeEntry(header: number, type: string, overrides: Overrides): TarEntry {
    const kind = KINDS[type];
    if (kind === undefined) throw invalidTar(`an entry has the unknown type ${JSON.stringify(type)}`);
    const format = tarFormat(slab, header);
    const { pax } = overrides;
    const entry: TarEntry = {
      kind,
      path: overrides.longName || (pax?.path ?? headerPath(slab, header, format)),
      link: '',
      mode: tarNumber(slab, header + 100, 8) & 0o7777,
      uid: pax?.uid ?? tarNumber(slab, header + 108, 8),
      gid: pax?.gid ?? tarNumber(slab, header + 116, 8),
      mtime: pax?.mtime?.seconds ?? tarTime(slab, header + 136, 12),
      mtimeNanos: pax?.mtime?.nanos ?? 0,
      size: 0,
      major: 0,
      minor: 0,
      xattrs: pax?.xattrs,
      sparse: undefined,
    };
    const stored = pax?.size ?? fieldSize(slab, header);
    if (stored < 0) throw invalidTar('an entry has a negative size');
    regions = undefined;
    bodyNext = 0;
    switch (kind) {
      case 'file':
        // v7 had no type for directories (Go, RFC of "TypeRegA"); its size, too, means nothing.
        if (type === '\0' && entry.path.endsWith('/')) {
          entry.kind = 'directory';
          break;
        }
        left = stored;
        padding = padded(stored) - stored;
        entry.size = stored;
        if (type === 'S') takeOldSparse(entry, header, format);
        else if (pax?.sparse !== undefined) takePaxSparse(entry, pax.sparse);
        fileBytes += entry.size;
        if (fileBytes > limits.bytes) throw limitExceeded('the layer', 'bytes', limits.bytes);
        break;
      case 'directory':
        // Only an incremental dump's directory has a body; the size of others means nothing.
        if (type === 'D') {
          left = stored;
          padding = padded(stored) - stored;
        }
        break;
      case 'symlink':
      case 'hardlink':
        entry.link = overrides.longLink || (pax?.linkpath ?? tarString(slab, header + 157, 100));
        break;
      case 'char':
      case 'block':
        if (format !== 'v7') {
          entry.major = tarNumber(slab, header + 329, 8);
          entry.minor = tarNumber(slab, header + 337, 8);
        }
        break;
      case 'fifo':
        break;
    }
    return entry;
  }

  function takeOldSparse(entry: TarEntry, header: number, format: TarFormat): void {
    if (format !== 'gnu') throw invalidTar('a sparse file without a GNU header');
    entry.size = tarNumber(slab, header + 483, 12);
    const found: SparseRegion[] = [];
    readOldSparseEntries(slab, header + 386, 4, found);
    let extended = slab[header + 482] !== 0;
    for (let bytes = BLOCK; extended; bytes += BLOCK) {
      if (bytes > limits.headerBytes) throw limitExceeded('the layer', 'headerBytes', limits.headerBytes);
      const block = takeBlock();
      readOldSparseEntries(block, 0, 21, found);
      extended = block[504] !== 0;
    }
    takeRegions(entry, found);
  }

  function takePaxSparse(entry: TarEntry, sparse: Map<string, string>): void {
    const version = `${sparse.get('GNU.sparse.major') ?? ''}.${sparse.get('GNU.sparse.minor') ?? ''}`;
    const map = sparse.get('GNU.sparse.map');
    const mapInBody = version === '1.0';
    const mapInHeader = version === '0.0' || version === '0.1' || (version === '.' && map !== undefined);
    if (!mapInBody && !mapInHeader) return;
    entry.path = sparse.get('GNU.sparse.name') || entry.path;
    const size = sparse.get('GNU.sparse.size') ?? sparse.get('GNU.sparse.realsize');
    if (size !== undefined) entry.size = paxInteger(size);
    if (!mapInBody) {
      takeRegions(entry, parseSparseMap(map ?? ''));
      return;
    }
    let bytes = 0;
    const found = readSparseMap1(() => {
      bytes += BLOCK;
      if (bytes > limits.headerBytes) throw limitExceeded('the layer', 'headerBytes', limits.headerBytes);
      if (bytes > left + padding) throw invalidTar('a sparse map does not end');
      return takeBlock();
    });
    left = Math.max(0, left - bytes);
    takeRegions(entry, found);
  }

  function takeRegions(entry: TarEntry, found: SparseRegion[]): void {
    regions = checkedRegions(found, entry.size, left);
    region = 0;
    regionDone = 0;
    entry.sparse = regions;
  }

  function body(): Buffer | undefined {
    if (left === 0) return undefined;
    if (at === slab.length) {
      const next = nextSlab();
      if (next === undefined) throw endsEarly();
      before += slab.length;
      slab = next;
      at = 0;
    }
    let length = Math.min(left, slab.length - at);
    if (regions === undefined) {
      bodyOffset = bodyNext;
      bodyNext += length;
    } else {
      const current = regions[region] as SparseRegion;
      length = Math.min(length, current.length - regionDone);
      bodyOffset = current.offset + regionDone;
      regionDone += length;
      if (regionDone === current.length) {
        region++;
        regionDone = 0;
      }
    }
    left -= length;
    at += length;
    return slab.subarray(at - length, at);
  }

  return {
    next,
    body,
    get bodyOffset() {
      return bodyOffset;
    },
    get entryOffset() {
      return entryOffset;
    },
    get headers() {
      return headers;
    },
    get fileBytes() {
      return fileBytes;
    },
  };
}

function fieldSize(slab: Buffer, header: number): number {
  const size = tarNumber(slab, header + 124, 12);
  if (size < 0) throw invalidTar('an entry has a negative size');
  return size;
}

/** The name field, with the prefix field in front where the format has one. */
function headerPath(slab: Buffer, header: number, format: TarFormat): string {
  const name = tarString(slab, header, 100);
  const prefix =
    format === 'ustar'
      ? tarString(slab, header + 345, 155)
      : format === 'star'
        ? tarString(slab, header + 345, 131)
        : format === 'gnu'
          ? misplacedPrefix(slab, header)
          : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Go before 1.8 wrote a ustar prefix into GNU headers, where times belong (golang/go#12594): text that is no time. */
function misplacedPrefix(slab: Buffer, header: number): string {
  if (slab[header + 345] === 0) return '';
  try {
    tarNumber(slab, header + 345, 12);
    tarNumber(slab, header + 357, 12);
    return '';
  } catch {
    const prefix = tarString(slab, header + 345, 155);
    return /^[\x00-\x7f]*$/.test(prefix) ? prefix : '';
  }
}

function untilNul(body: Buffer): string {
  return tarString(body, 0, body.length);
}

function endsEarly(): Error {
  return invalidTar('it ends in the middle of an entry');
}
