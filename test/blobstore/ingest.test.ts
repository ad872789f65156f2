// A blob on its way in: what is visible when, and what is left after every way it can end.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blobPath, partialPath, storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { isOciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { putBlob, scratch } from './fill.ts';

const bytes = randomBytes(100_000);
const descriptor: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: digestOf(bytes),
  size: bytes.length,
};

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

it('shows a blob only when it is committed, read-only, under its digest', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  const ingest = (await store.ingest(descriptor))!;
  await ingest.write(bytes);
  expect(await store.has(descriptor)).toBe(false);
  await expect(store.fetch(descriptor)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
  const path = join(dir, 'blobs/sha256', descriptor.digest.slice(7));
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o444);
  expect(await store.locate(descriptor)).toEqual({ path, offset: 0, size: bytes.length });
  expect(readdirSync(storePaths(dir).ingest)).toEqual([]);
  expect(await store.ingest(descriptor)).toBeUndefined();
});

it('reads a blob from any offset', async () => {
  const store = await openStore(scratch());
  await putBlob(store, descriptor, bytes);
  for (const offset of [0, 1, 99_999, 100_000]) {
    const stream = await store.fetch(descriptor, { offset });
    expect((await readAll(stream)).equals(bytes.subarray(offset))).toBe(true);
  }
});

it('ends a read with ABORTED when the signal fires', async () => {
  const store = await openStore(scratch());
  await putBlob(store, descriptor, bytes);
  const controller = new AbortController();
  const stream = await store.fetch(descriptor, { signal: controller.signal });
  controller.abort();
  await expect(readAll(stream)).rejects.toMatchObject({ code: 'ABORTED' });
});

it('stores sha512 blobs beside sha256 ones', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  const other: Descriptor = { ...descriptor, digest: digestOf(bytes, 'sha512') };
  await putBlob(store, other, bytes);
  expect(existsSync(join(dir, 'blobs/sha512', other.digest.slice(7)))).toBe(true);
});

it('goes on in a later process where an earlier one stopped', async () => {
  const dir = scratch();
  const first = (await (await openStore(dir)).ingest(descriptor))!;
  await first.write(bytes.subarray(0, 60_000));
  await first.suspend();
  const store = await openStore(dir);
  const second = (await store.ingest(descriptor))!;
  expect(second.offset).toBe(60_000);
  await second.write(bytes.subarray(60_000));
  await second.commit();
  expect(readFileSync((await store.locate(descriptor)).path).equals(bytes)).toBe(true);
});

it('takes over from a process that was killed while it wrote', async () => {
  const dir = scratch();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'hold-ingest.ts'), dir, descriptor.digest, '100000'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child.stdin.write(bytes.subarray(0, 30_000));
  await once(child.stdout, 'data');
  const store = await openStore(dir);
  const waiting = store.ingest(descriptor);
  let taken = false;
  void waiting.then(() => {
    taken = true;
  });
  await new Promise(setImmediate);
  expect(taken).toBe(false);
  child.kill('SIGKILL');
  const ingest = (await waiting)!;
  expect(ingest.offset).toBe(30_000);
  await ingest.write(bytes.subarray(30_000));
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

it('drops partial bytes that turn out wrong, and says so', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  const wrong = Buffer.from(bytes);
  wrong[50_000]! ^= 1;
  const ingest = (await store.ingest(descriptor))!;
  await ingest.write(wrong);
  await expect(ingest.commit()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(await store.has(descriptor)).toBe(false);
  expect(existsSync(partialPath(storePaths(dir), descriptor.digest))).toBe(false);
  expect((await store.ingest(descriptor))?.offset).toBe(0);
});

it('verifies the bytes an earlier process left', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  await (await store.ingest(descriptor))!.suspend();
  writeFileSync(partialPath(storePaths(dir), descriptor.digest), randomBytes(60_000));
  const ingest = (await store.ingest(descriptor))!;
  expect(ingest.offset).toBe(60_000);
  await ingest.write(bytes.subarray(60_000));
  await expect(ingest.commit()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
});

it('drops a partial file that is longer than the blob', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  await (await store.ingest(descriptor))!.suspend();
  writeFileSync(partialPath(storePaths(dir), descriptor.digest), randomBytes(100_001));
  const ingest = (await store.ingest(descriptor))!;
  expect(ingest.offset).toBe(0);
  await ingest.write(bytes);
  await ingest.commit();
  expect(statSync(blobPath(storePaths(dir), descriptor.digest)).size).toBe(100_000);
});

it('refuses the first byte too many', async () => {
  const store = await openStore(scratch());
  const ingest = (await store.ingest(descriptor))!;
  await ingest.write(bytes);
  expect(() => ingest.write(Buffer.of(0))).toThrow(expect.objectContaining({ code: 'SIZE_MISMATCH' }));
  await ingest.abort();
});

it('refuses to commit too few', async () => {
  const store = await openStore(scratch());
  const ingest = (await store.ingest(descriptor))!;
  await ingest.write(bytes.subarray(1));
  await expect(ingest.commit()).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
});

it('starts over from nothing', async () => {
  const store = await openStore(scratch());
  const ingest = (await store.ingest(descriptor))!;
  await ingest.write(randomBytes(70_000));
  await ingest.restart();
  expect(ingest.offset).toBe(0);
  await ingest.write(bytes);
  await ingest.commit();
  expect(await store.has(descriptor)).toBe(true);
});

it('takes an empty blob', async () => {
  const store = await openStore(scratch());
  const empty: Descriptor = { mediaType: 'application/octet-stream', digest: digestOf(''), size: 0 };
  await (await store.ingest(empty))!.commit();
  expect(await readAll(await store.fetch(empty))).toHaveLength(0);
});

it('lets the second of two ingests wait, and tells it that the blob has come', async () => {
  const store = await openStore(scratch());
  const first = (await store.ingest(descriptor))!;
  const second = store.ingest(descriptor);
  await first.write(bytes);
  await first.commit();
  expect(await second).toBeUndefined();
});

it('lets the second of two ingests go on when the first gave up', async () => {
  const store = await openStore(scratch());
  const first = (await store.ingest(descriptor))!;
  const second = store.ingest(descriptor);
  await first.write(bytes.subarray(0, 10));
  await first.abort();
  const ingest = (await second)!;
  expect(ingest.offset).toBe(0);
  await ingest.abort();
});

it('stops waiting when the signal fires', async () => {
  const store = await openStore(scratch());
  const first = (await store.ingest(descriptor))!;
  const controller = new AbortController();
  const second = store.ingest(descriptor, { signal: controller.signal });
  controller.abort();
  await expect(second).rejects.toSatisfy((error) => isOciError(error, 'ABORTED'));
  await first.abort();
});

it('counts a blob that a power cut shortened as absent, and replaces it', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  await putBlob(store, descriptor, bytes);
  truncateSync(blobPath(storePaths(dir), descriptor.digest), 5000);
  expect(await store.has(descriptor)).toBe(false);
  await putBlob(store, descriptor, bytes);
  expect(await store.has(descriptor)).toBe(true);
});

it('leaves no file open, however an ingest ends', async () => {
  const store = await openStore(scratch());
  await putBlob(store, { ...descriptor, digest: digestOf('a'), size: 1 }, Buffer.from('a'));
  const before = openFiles();
  for (const end of ['suspend', 'abort', 'commit'] as const) {
    const ingest = (await store.ingest(descriptor))!;
    await ingest.write(bytes.subarray(0, 10));
    await ingest[end]().catch(() => {});
    await ingest.abort();
  }
  expect(openFiles()).toBe(before);
});

describe('bytes that come out of order', () => {
  const size = 33 * 1024 * 1024 + 5;
  const large = Buffer.alloc(size);
  for (let at = 0; at + 4 < size; at += 997) large.writeUInt32LE(at, at);
  const wanted: Descriptor = { mediaType: 'x/y', digest: digestOf(large), size };

  it('are the blob when the gaps are filled', async () => {
    const store = await openStore(scratch());
    const ingest = (await store.ingest(wanted))!;
    ingest.ahead!(large.subarray(20_000_000), 20_000_000);
    await ingest.write(large.subarray(0, 5_000_000));
    ingest.ahead!(large.subarray(5_000_000, 12_000_000), 5_000_000);
    ingest.join!(12_000_000);
    await ingest.write(large.subarray(12_000_000, 20_000_000));
    ingest.join!(size);
    await ingest.commit();
    const { path } = await store.locate(wanted);
    expect(readFileSync(path).equals(large)).toBe(true);
  });

  it('count up to the first gap when they are taken up again', async () => {
    const store = await openStore(scratch());
    const ingest = (await store.ingest(wanted))!;
    await ingest.write(large.subarray(0, 1_000_000));
    ingest.ahead!(large.subarray(20_000_000), 20_000_000);
    await ingest.suspend();
    const again = (await store.ingest(wanted))!;
    expect(again.offset).toBe(1_000_000);
    await again.write(large.subarray(1_000_000));
    await again.commit();
  });

  it('count up to the first gap after a kill, in another process, too', async () => {
    const dir = scratch();
    const script = `
      const { openStore } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/blobstore/store.ts'))});
      const large = Buffer.alloc(${size});
      for (let at = 0; at + 4 < ${size}; at += 997) large.writeUInt32LE(at, at);
      const ingest = await (await openStore(${JSON.stringify(dir)})).ingest(${JSON.stringify(wanted)});
      await ingest.write(large.subarray(0, 1_000_000));
      ingest.ahead(large.subarray(20_000_000), 20_000_000);
      await ingest.write(large.subarray(1_000_000, 9_000_000));
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    const store = await openStore(dir);
    const again = (await store.ingest(wanted))!;
    expect(again.offset).toBe(9_000_000);
    await again.write(large.subarray(9_000_000));
    await again.commit();
    const { path } = await store.locate(wanted);
    expect(readFileSync(path).equals(large)).toBe(true);
  });

  it('are dropped when what is behind the end of the file is no mark', async () => {
    const dir = scratch();
    const store = await openStore(dir);
    const ingest = (await store.ingest(wanted))!;
    await ingest.write(large.subarray(0, 1_000_000));
    await ingest.suspend();
    truncateSync(partialPath(storePaths(dir), wanted.digest), size + 8192);
    const again = (await store.ingest(wanted))!;
    expect(again.offset).toBe(0);
    await again.abort();
  });

  it('are not taken of a blob that is hashed as it is written', async () => {
    const store = await openStore(scratch());
    const ingest = (await store.ingest(descriptor))!;
    expect(ingest.ahead).toBeUndefined();
    await ingest.abort();
  });
});
