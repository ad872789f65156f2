// A compressed archive cannot be read in place: it is unpacked once into a private temporary file, gone after `close`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { abortError, fileError, isOciError, OciError, systemCode } from '../errors.ts';
import { type Compression, sniff } from './sniff.ts';
import { cutZstdFrames } from './zstd-frames.ts';

/** A bomb grows more than this many times and past this many bytes; images pack three- to tenfold. */
const MAX_RATIO = 200;
const ALWAYS_ALLOWED = 1024 ** 3;
const CHUNK = 1024 * 1024;

export interface SpooledFile {
  path: string;
  remove(): Promise<void>;
}

/**
 * The plain bytes of `file` (which may be a pipe) in a temporary file under $TMPDIR.
 * Throws ARCHIVE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED, DISK_FULL, ABORTED.
 */
export async function spool(file: string, signal?: AbortSignal): Promise<SpooledFile> {
  const dir = await mkdtemp(join(tmpdir(), 'ocitool-archive-')).catch((error: unknown) => {
    throw fileError(error, tmpdir());
  });
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  const path = join(dir, 'archive.tar');
  try {
    await unpackTo(file, path, signal);
    return { path, remove };
  } catch (error) {
    await remove();
    if (signal?.aborted) throw abortError(signal);
    throw spoolError(error, file);
  }
}

async function unpackTo(file: string, path: string, signal?: AbortSignal): Promise<void> {
  const source = createReadStream(file, { highWaterMark: CHUNK });
  try {
    const input = source[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    const start = await readStart(input);
    const compression = sniff(start);
    let read = start.length;
    async function* bytes(): AsyncGenerator<Buffer> {
      yield start;
      for (let next = await input.next(); next.done !== true; next = await input.next()) {
        read += next.value.length;
        yield next.value;
      }
    }
    let written = 0;
    const guard = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        written += chunk.length;
        const bomb = compression !== undefined && written > ALWAYS_ALLOWED && written > read * MAX_RATIO;
        if (!bomb) return done(null, chunk);
        const message = `${file}: grows more than ${MAX_RATIO} times when unpacked`;
        done(
          new OciError('LIMIT_EXCEEDED', message, { hint: 'if you trust it, decompress it yourself first' }),
        );
      },
    });
    const options = signal === undefined ? {} : { signal };
    const output = createWriteStream(path, { mode: 0o600, flags: 'wx', highWaterMark: CHUNK });
    const plain = compression === undefined ? [] : [decompressor(compression, file)];
    const packed = compression === 'zstd' ? cutZstdFrames(bytes()) : bytes();
    await pipeline([Readable.from(packed), ...plain, guard, output], options);
  } finally {
    source.destroy();
  }
}

async function readStart(input: AsyncIterator<Buffer, undefined>): Promise<Buffer> {
  let start = Buffer.alloc(0);
  while (start.length < 6) {
    const next = await input.next();
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
  }
  return start;
}

function decompressor(compression: Compression, file: string): Duplex {
  switch (compression) {
    case 'gzip':
      return createGunzip({ chunkSize: CHUNK });
    case 'zstd':
      return createZstdDecompress({ chunkSize: CHUNK });
    case 'xz':
      return xz(file);
    case 'bzip2':
      throw new OciError('UNSUPPORTED', `${file}: compressed with bzip2`, {
        hint: `decompress it first: bunzip2 ${file}`,
      });
  }
}

/** Node has no xz: the program, as a stage of the pipeline that ends it when the others fail. */
function xz(file: string): Duplex {
  const child = spawn('xz', ['--decompress', '--stdout'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint = (complaint + text.toString()).slice(0, 500);
  });
  // xz may stop reading before we stop writing; its exit code tells why.
  child.stdin.on('error', () => {});
  const exit = once(child, 'close').catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new OciError('UNSUPPORTED', `${file}: compressed with xz, and there is no xz program to read it`, {
      hint: 'install xz-utils (Debian, Ubuntu) or xz (Fedora, Alpine, macOS)',
      cause: error,
    });
  });
  exit.catch(() => {});
  async function* output(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const feeding = feed(input, child.stdin);
    feeding.catch(() => child.kill());
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
      const [code] = (await exit) as [number | null];
      if (code !== 0) {
        await feeding;
        const line = complaint.trim().split('\n')[0] ?? '';
        throw new OciError('ARCHIVE_INVALID', `${file}: ${line === '' ? `xz ended with ${code}` : line}`);
      }
    } finally {
      child.kill();
    }
  }
  return Duplex.from(output);
}

async function feed(input: AsyncIterable<Buffer>, stdin: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of input) {
    if (!stdin.writable) break;
    if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), once(stdin, 'close')]);
  }
  stdin.end();
}

function spoolError(error: unknown, file: string): OciError {
  const code = systemCode(error);
  if (code === 'ENOENT') return new OciError('PATH_NOT_FOUND', `${file}: no such file`, { cause: error });
  if (code?.startsWith('Z_') === true || code?.startsWith('ZSTD_') === true) {
    return new OciError('ARCHIVE_INVALID', `${file}: cannot be decompressed: ${(error as Error).message}`, {
      hint: 'the file may be incomplete',
      cause: error,
    });
  }
  const failure = fileError(error, file);
  if (!isOciError(failure, 'DISK_FULL')) return failure;
  return new OciError('DISK_FULL', `${file}: no space in ${tmpdir()} to decompress it`, {
    hint: 'set TMPDIR to a directory with more space, or decompress it yourself first',
    cause: error,
  });
}
