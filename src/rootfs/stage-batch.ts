// The files of one slab as columns: what one thread hands to another so that the other writes them. The slab itself is
// shared memory and is not copied.
import { writeSync } from 'node:fs';
import type { FileFacts, StageWriter } from './stage-writer.ts';

/** Whole files inside one slab. Plain data. */
export interface Batch {
  /** Clean paths, joined by NUL. */
  paths: string;
  /** `COLUMNS` numbers a file. */
  numbers: Float64Array;
}

export const COLUMNS = 9;

/** Collects the files of the slab that is being read. */
export interface BatchBuilder {
  readonly count: number;
  add(facts: FileFacts, path: string, index: number, hasParent: boolean, offset: number, size: number): void;
  /** The files so far; starts anew. */
  take(): Batch;
}

export function createBatchBuilder(): BatchBuilder {
  let paths: string[] = [];
  let numbers: number[] = [];
  return {
    get count() {
      return paths.length;
    },
    add({ mode, uid, gid, mtime, mtimeNanos }, path, index, hasParent, offset, size) {
      paths.push(path);
      numbers.push(index, hasParent ? 1 : 0, offset, size, mode, uid, gid, mtime, mtimeNanos);
    },
    take() {
      const batch = { paths: paths.join('\0'), numbers: Float64Array.from(numbers) };
      paths = [];
      numbers = [];
      return batch;
    },
  };
}

/** Writes the files; `onStaged` hears where each went. Throws what `StageWriter.file` throws. */
export function writeBatch(
  writer: StageWriter,
  { paths, numbers }: Batch,
  slab: Uint8Array,
  onStaged: (index: number, where: number) => void,
): void {
  const names = paths.split('\0');
  let offset = 0;
  let size = 0;
  const fill = (descriptor: number): void => {
    for (let done = 0; done < size; ) done += writeSync(descriptor, slab, offset + done, size - done);
  };
  for (let i = 0; i < names.length; i++) {
    const [index, hasParent, from, length, mode, uid, gid, mtime, mtimeNanos] = numbers.subarray(
      i * COLUMNS,
    ) as unknown as [number, number, number, number, number, number, number, number, number];
    offset = from;
    size = length;
    const facts = { mode, uid, gid, mtime, mtimeNanos };
    onStaged(index, writer.file(facts, names[i] as string, index, hasParent === 1, fill));
  }
}
