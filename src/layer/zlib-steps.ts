// node:zlib driven one synchronous step at a time into a buffer of ours: no streams, no events, no copy.
// This is what zlib.gunzipSync does inside; the handle it uses is reached through the stream object's own fields
// (`_handle`, `_writeState`), which Node keeps for compatibility. test/layer/inflate.test.ts holds Node to it.
import { constants, createInflateRaw, createZstdDecompress } from 'node:zlib';
import { OciError } from '../errors.ts';

/** A decompressor that is fed and drained by hand. */
export interface ZlibSteps {
  /**
   * Decompresses from `input` into `output` until one of the two is used up or the compressed stream ends.
   * `last` says that no input follows, so that a stream cut short is an error. Throws LAYER_INVALID.
   */
  step(input: Uint8Array, from: number, to: number, output: Uint8Array, start: number, last: boolean): void;
  /** The same, but stops where a deflate block begins as well. */
  stepToBlock(input: Uint8Array, from: number, to: number, output: Uint8Array, start: number): void;
  /** Bytes the last step read and wrote. */
  consumed: number;
  produced: number;
  /** Forgets the stream, ready for the next one. */
  reset(): void;
  close(): void;
}

interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

/** The `cause` of a zlib failure: Node's own code for it. */
export interface ZlibFailure {
  code: string;
}

export function inflateSteps(): ZlibSteps {
  return steps(createInflateRaw(), 'gzip', constants.Z_NO_FLUSH, constants.Z_FINISH);
}

export function zstdSteps(): ZlibSteps {
  return steps(createZstdDecompress(), 'zstd', constants.ZSTD_e_continue, constants.ZSTD_e_end);
}

function steps(stream: object, format: string, goOn: number, finish: number): ZlibSteps {
  const { _handle: handle, _writeState: left } = stream as { _handle?: Handle; _writeState?: Uint32Array };
  if (typeof handle?.writeSync !== 'function' || left === undefined) {
    throw new OciError(
      'UNSUPPORTED',
      `this version of Node (${process.version}) hides its ${format} decoder`,
      {
        hint: 'use Node 26',
      },
    );
  }
  let failure: OciError | undefined;
  handle.onerror = (message, _errno, code) => {
    const cause = Object.assign(new Error(message), { code } satisfies ZlibFailure);
    failure = new OciError('LAYER_INVALID', `the layer's ${format} stream is damaged: ${message}`, { cause });
  };
  const write = (
    flush: number,
    input: Uint8Array,
    from: number,
    to: number,
    output: Uint8Array,
    start: number,
  ): void => {
    const room = output.length - start;
    handle.writeSync(flush, input, from, to - from, output, start, room);
    if (failure !== undefined) throw failure;
    self.produced = room - (left[0] as number);
    self.consumed = to - from - (left[1] as number);
  };
  const self: ZlibSteps = {
    consumed: 0,
    produced: 0,
    step: (input, from, to, output, start, last) =>
      write(last ? finish : goOn, input, from, to, output, start),
    stepToBlock: (input, from, to, output, start) => write(constants.Z_BLOCK, input, from, to, output, start),
    reset() {
      failure = undefined;
      handle.reset();
    },
    close: () => handle.close(),
  };
  return self;
}
