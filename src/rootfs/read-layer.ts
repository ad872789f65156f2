// Reads one layer to its end, in one pass: inflate, hash, read headers and, for an unpack, write the files.
// It blocks from first byte to last, so it runs in a worker.
import { OciError } from '../errors.ts';
import { openBytes } from '../layer/byte-source.ts';
import { baseOf, cleanPath } from '../layer/entry-path.ts';
import { type ImageShare, openShare } from '../layer/image-share.ts';
import { inflate, type SlabReader } from '../layer/inflate.ts';
import { type LayerLimits, limitExceeded, RATIO_FLOOR } from '../layer/limits.ts';
import { readTar } from '../layer/tar-reader.ts';
import { whiteoutOf } from '../layer/whiteout.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { monotonicMs } from '../monotonic-ms.ts';
import type { ArrivingFile } from '../place/arrival.ts';
import type { BlobLocation } from '../place/place.ts';
import { createVerifier } from '../place/verify.ts';
import { algorithmOf, createDigester, type Digest } from '../reference/digest.ts';
import { createEntryLog, type EntryLog } from './entry-log.ts';
import type { NextHelper } from './hand-out.ts';
import { createCheckpointList } from './layer-index-checkpoints.ts';
import { encodeLayerIndex } from './layer-index-format.ts';
import type { LayerStats } from './layer-source.ts';
import { createStage } from './stage-files.ts';

/** One layer to read. Plain data: it crosses to a worker. */
export interface LayerJob {
  descriptor: Descriptor;
  location: BlobLocation | ArrivingFile;
  diffId: Digest | undefined;
  limits: LayerLimits;
  /** What the image's other layers use counts against the limits too. */
  share: ImageShare;
  verifyBlob: boolean;
  /** The folder, not yet there, to write files into; undefined to write nothing. */
  stage: string | undefined;
  /** Whether to make an index. Default false. */
  wantIndex?: boolean | undefined;
}

export interface LayerResult {
  log: EntryLog;
  stats: LayerStats;
  /** Clean paths of the directories staged, parents first, joined by NUL. */
  stagedDirectories: string;
  /** Files whose owner could not be set. */
  ownersLost: number;
  /** Something odd that was let pass, one line. */
  warning: string | undefined;
  /** The bytes of the layer's index; undefined when nobody wants it, or the layer is odd. */
  index: Uint8Array | undefined;
}

/**
 * Reads a layer. `onAdvance` hears of the blob bytes read, at most ten times a second; `nextHelper` is asked for
 * threads to help with writing files.
 */
export function readLayer(
  job: LayerJob,
  onAdvance: (bytesIn: number) => void,
  nextHelper: NextHelper = () => undefined,
): LayerResult {
  const { descriptor, diffId, limits } = job;
  const verifier = job.verifyBlob ? createVerifier(descriptor) : undefined;
  const digester = createDigester(diffId === undefined ? 'sha256' : algorithmOf(diffId));
  const log = createEntryLog();
  const stage = job.stage === undefined ? undefined : createStage(job.stage, log.setStaged, nextHelper);
  const checkpoints = createCheckpointList();
  const slabs = inflate(openBytes(job.location), {
    onCheckpoint: job.wantIndex ? checkpoints.add : undefined,
    onInput: verifier?.update,
    takeSlab: stage?.takeSlab,
    digested: diffId !== undefined,
  });
  try {
    let unpackedSize = 0;
    let toldAt = 0;
    const nextSlab = (): Buffer | undefined => {
      const slab = slabs.next();
      if (slab === undefined) return undefined;
      unpackedSize += slab.length;
      checkLimits(slabs, unpackedSize, limits);
      tellUse();
      digester.update(slab);
      const now = monotonicMs();
      if (now - toldAt > 100) {
        toldAt = now;
        onAdvance(slabs.bytesIn);
      }
      return slab;
    };

    const tellShare = openShare(job.share, limits);
    const tar = readTar(nextSlab, limits);
    const tellUse = (): void => tellShare(Math.max(unpackedSize, tar.fileBytes), tar.headers);
    let entries = 0;
    let files = 0;
    for (let entry = tar.next(); entry !== undefined; entry = tar.next()) {
      const path = cleanPath(entry.path);
      const index = log.append(entry, path, tar.entryOffset);
      entries++;
      if (entry.kind !== 'file' && entry.kind !== 'directory') continue;
      if (whiteoutOf(baseOf(path)) !== undefined) continue;
      if (entry.kind === 'directory') stage?.directory(path);
      else {
        files++;
        stage?.file(entry, path, index, tar);
      }
    }
    tellUse();
    stage?.finish();
    verifier?.end();
    const actual = digester.digest();
    const warning =
      diffId === undefined || diffId === actual ? undefined : mismatch(job, diffId, actual, slabs);
    const result: Pick<LayerResult, 'log' | 'stats'> = {
      log: log.finish(),
      stats: {
        digest: descriptor.digest,
        diffId: actual,
        compression: slabs.compression,
        unpackedSize,
        entries,
        files,
      },
    };
    const use = { headers: tar.headers, fileBytes: tar.fileBytes, headerBytes: limits.headerBytes };
    return {
      ...result,
      stagedDirectories: stage?.directories() ?? '',
      ownersLost: stage?.ownersLost() ?? 0,
      warning,
      index:
        job.wantIndex && warning === undefined
          ? encodeLayerIndex({ ...result, use, checkpoints: checkpoints.list() })
          : undefined,
    };
  } finally {
    slabs.close();
  }
}

function checkLimits(slabs: SlabReader, unpackedSize: number, limits: LayerLimits): void {
  if (unpackedSize > limits.bytes) throw limitExceeded('the layer', 'bytes', limits.bytes);
  if (unpackedSize > RATIO_FLOOR && unpackedSize > limits.ratio * slabs.bytesIn) {
    throw limitExceeded('the layer', 'ratio', limits.ratio);
  }
}

/**
 * A diff ID that is the digest of the compressed blob, as images imported from xz carry it (podman#18716), is a
 * mistake that hides nothing: the blob itself is what its digest says. Any other is an error.
 */
function mismatch({ descriptor }: LayerJob, expected: Digest, actual: Digest, slabs: SlabReader): string {
  if (expected === descriptor.digest && slabs.compression !== 'none') {
    return `layer ${descriptor.digest}: the image's config names the compressed blob where its diff ID belongs`;
  }
  throw new OciError(
    'DIFF_ID_MISMATCH',
    `layer ${descriptor.digest}: its content is ${actual}, the image's config says ${expected}`,
    {
      hint: 'the image was put together wrongly or tampered with; pull it again, then tell whoever built it',
    },
  );
}
