// Parts of a blob through mirrors: who gives them, and what is held against a mirror that does not.
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { beforeEach, expect, it, vi } from 'vitest';
import type { FlowGroup, Reading } from '../../src/copy/flow-group.ts';
import { readSplit, takesParts, WORTH_SPLITTING } from '../../src/copy/split-read.ts';
import { OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { type FetchOptions, isSplit } from '../../src/place/place.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { addBlob } from '../support/image-builder.ts';
import {
  blobs,
  clientOf,
  mirror,
  mirrored,
  name,
  origin,
  place,
  setUpMirrors,
  warnings,
} from '../support/mirror-setup.ts';

const MiB = 1 << 20;
const content = randomBytes(WORTH_SPLITTING + 5 * MiB + 3);

let blob: Descriptor;
let repository: Repository;
let setbacks: (number | undefined)[];

setUpMirrors();
beforeEach(async () => {
  blob = addBlob(place, 'application/vnd.oci.image.layer.v1.tar', content);
  setbacks = [];
  repository = await clientOf(mirrored([mirror.address])).repository(parseReference(name()));
});

const onSetback = (status: number | undefined): void => void setbacks.push(status);

async function read(options: FetchOptions = {}): Promise<Buffer> {
  return await buffer(await repository.fetch(blob, { onSetback, ...options }));
}

const ranges = (server: typeof mirror): string[] =>
  server.requests
    .filter(({ url }) => url?.includes('/blobs/') === true)
    .map(({ headers }) => headers.range ?? 'all');

it('a part comes from the mirror, and nothing behind it', async () => {
  expect(isSplit(repository)).toBe(true);
  expect(await read({ offset: MiB, end: 2 * MiB })).toEqual(content.subarray(MiB, 2 * MiB));
  expect(ranges(mirror)).toEqual([`bytes=${MiB}-${2 * MiB - 1}`]);
  expect(blobs(origin)).toEqual([]);
});

it('a mirror that gives no parts is asked for the whole, and nothing is held against it', async () => {
  mirror.intercept = (request) => {
    delete request.headers.range;
    return false;
  };
  await expect(read({ offset: 0, end: MiB })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect((await read()).equals(content)).toBe(true);
  expect(blobs(origin)).toEqual([]);
  expect([setbacks, warnings()]).toEqual([[], []]);
});

it('one that limits a second connection keeps the first', async () => {
  mirror.intercept = (request, response) => {
    if (request.headers.range === undefined) return false;
    response.writeHead(429).end();
    return true;
  };
  const left = new AbortController();
  const other = new OciError('ABORTED', 'left to another connection');
  const asked = read({
    offset: MiB,
    end: 2 * MiB,
    signal: left.signal,
    onSetback: (status) => {
      onSetback(status);
      left.abort(other);
    },
  });
  await expect(asked).rejects.toBe(other);
  expect(setbacks).toEqual([429]);
  expect((await read()).equals(content)).toBe(true);
  expect(blobs(origin)).toEqual([]);
  expect(warnings()).toEqual([]);
});

it('one that breaks off gives way to the registry where nobody else reads', async () => {
  mirror.intercept = (request, response) => {
    if (request.headers.range === undefined) return false;
    response.writeHead(503).end();
    return true;
  };
  expect(await read({ offset: MiB, end: 2 * MiB })).toEqual(content.subarray(MiB, 2 * MiB));
  expect(ranges(origin)).toEqual([`bytes=${MiB}-${2 * MiB - 1}`]);
  expect(setbacks).toEqual([undefined]);
  expect(warnings()).toEqual([expect.stringContaining('going on without this mirror')]);
});

/** Reads into a store through as many connections as can be had. */
async function readThrough(connections: number): Promise<void> {
  const store = await clientOf('').store();
  const ingest = await store.ingest(blob);
  if (ingest === undefined || !takesParts(ingest)) throw new Error('an ingest that takes parts was expected');
  let reading: Reading | undefined;
  const grow = vi.fn(() => void reading?.grow());
  const group: FlowGroup = {
    partBytes: 4 * MiB,
    received: () => (reading !== undefined && reading.flows < connections ? grow() : undefined),
    running() {},
    reconnected() {},
    setback: onSetback,
    enter: (entered) => {
      reading = entered;
    },
    leave() {},
  };
  await readSplit(repository, ingest, blob, { group, onHeld() {} });
  await ingest.commit();
  expect(grow).toHaveBeenCalled();
  expect(await store.has(blob)).toBe(true);
}

it('a blob through several connections to a mirror', async () => {
  await readThrough(4);
  expect(ranges(mirror).length).toBeGreaterThan(2);
  expect(blobs(origin)).toEqual([]);
  expect(warnings()).toEqual([]);
});

it('a mirror that fails in the middle of it: the registry gives the rest, and that is told once', async () => {
  let answered = 0;
  mirror.intercept = (request, response) => {
    if (request.url?.includes('/blobs/') !== true) return false;
    answered += 1;
    if (answered > 2) response.destroy();
    return answered > 2;
  };
  await readThrough(4);
  expect(blobs(origin).length).toBeGreaterThan(0);
  expect(warnings()).toEqual([expect.stringContaining('going on without this mirror')]);
});
