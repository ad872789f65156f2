// Moves one blob: resumes what an earlier attempt left, and never makes a byte visible that was not verified.
import { isOciError, OciError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { takeAll } from '../place/lending.ts';
import {
  hasAlternatives,
  type ImageSource,
  type ImageTarget,
  type Ingest,
  isRemote,
} from '../place/place.ts';
import type { LongOptions, TransferVerb } from '../place/progress.ts';
import type { FlowGroup } from './flow-group.ts';
import { readSplit, takesParts, WORTH_SPLITTING } from './split-read.ts';

/** What happened to one blob. Bytes. */
export interface BlobOutcome {
  /** Fetched from the source now. */
  transferred: number;
  /** Held already, from before or from another process. */
  reused: number;
}

/** What `copyBlob` takes. */
export interface BlobOptions extends LongOptions {
  /** What `done` events say. */
  verb?: TransferVerb | undefined;
  /** Decides how many connections a large blob is read through. Default: one. */
  flows?: FlowGroup | undefined;
}

/**
 * Copies one blob unless the target has it. Bytes kept from an earlier attempt are used; when the whole then fails
 * verification they are the first suspects, and the way from a registry the next ones: the blob is fetched once more
 * from its start.
 */
export async function copyBlob(
  source: ImageSource,
  target: ImageTarget,
  descriptor: Descriptor,
  options: BlobOptions,
  attempt = 1,
): Promise<BlobOutcome> {
  throwIfAborted(options.signal);
  const ingest = await target.ingest(descriptor, { signal: options.signal, from: source });
  if (ingest === undefined) {
    options.onProgress?.({ type: 'reused', descriptor });
    return { transferred: 0, reused: descriptor.size };
  }
  const offset = ingest.offset;
  let settled = false;
  try {
    options.onProgress?.(
      offset > 0 ? { type: 'resumed', descriptor, offset } : { type: 'started', descriptor, offset: 0 },
    );
    const transferred = await fill(source, ingest, descriptor, options);
    settled = true;
    await ingest.commit();
    options.onProgress?.({ type: 'done', descriptor, verb: options.verb });
    return { transferred, reused: offset };
  } catch (error) {
    if (!settled) await (isIntegrityError(error) ? ingest.abort() : ingest.suspend());
    if (othersHaveIt(source, descriptor, error)) {
      return await copyBlob(source, target, descriptor, options, attempt);
    }
    if (isIntegrityError(error) && attempt === 1 && (offset > 0 || isRemote(source))) {
      const { digest } = descriptor;
      options.onProgress?.({
        type: 'retrying',
        what: digest,
        reason: error.message,
        attempt,
        delayMs: 0,
        digest,
      });
      return await copyBlob(source, target, descriptor, options, attempt + 1);
    }
    // The target lost some bytes on their way, and says from where it wants them again.
    if (await ingest.recover?.(error)) {
      const { transferred, reused } = await copyBlob(source, target, descriptor, options, attempt);
      return { transferred: transferred + reused - offset, reused: offset };
    }
    throw error;
  }
}

/** Feeds the ingest from its offset to the blob's end; the number of bytes fetched. */
async function fill(
  source: ImageSource,
  ingest: Ingest,
  descriptor: Descriptor,
  { signal, onProgress, flows }: BlobOptions,
): Promise<number> {
  const { digest, size } = descriptor;
  let held = ingest.offset;
  if (held === size && held > 0) return 0;
  if (flows !== undefined && size - held >= WORTH_SPLITTING && takesParts(ingest)) {
    const onHeld = (bytes: number): void => onProgress?.({ type: 'advanced', digest, bytes });
    await readSplit(source, ingest, descriptor, { group: flows, signal, onHeld });
    return size - held;
  }
  const stream = await source.fetch(descriptor, { offset: held, signal });
  const first = held;
  function take(chunk: Buffer): void | Promise<void> {
    flows?.received(chunk.length);
    const pending = ingest.write(chunk);
    held += chunk.length;
    onProgress?.({ type: 'advanced', digest, bytes: held });
    return pending;
  }
  flows?.running(1);
  try {
    if (ingest.takesAtOnce === true) await takeAll(stream, take);
    else for await (const chunk of stream as AsyncIterable<Buffer>) await take(chunk);
  } finally {
    flows?.running(-1);
    stream.destroy();
  }
  throwIfAborted(signal);
  if (held < size) {
    // Bytes so far may be good: kept for the next attempt, unlike a wrong digest.
    throw new OciError('NETWORK', `${digest}: the source ended after ${held} of ${size} bytes`, {
      hint: 'run the same command again: it goes on from where it stopped',
    });
  }
  return held - first;
}

/** True when wrong bytes came from one of several places behind the source: it will ask another. */
function othersHaveIt(source: ImageSource, descriptor: Descriptor, error: unknown): boolean {
  return isIntegrityError(error) && hasAlternatives(source) && source.distrust(descriptor, error);
}

function isIntegrityError(error: unknown): error is OciError {
  return isOciError(error, 'DIGEST_MISMATCH') || isOciError(error, 'SIZE_MISMATCH');
}
