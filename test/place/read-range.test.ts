// A part of a file as a stream: a document, read at once, and a layer, read bit by bit, say the same.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readRange } from '../../src/place/read-range.ts';

describe.each([
  ['a document', 2000],
  ['a layer', 3_000_000],
])('%s', (_, size) => {
  const bytes = Buffer.alloc(size, 'some text that is no period of 1024 ');

  function file(): string {
    const dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    writeFileSync(join(dir, 'file'), bytes);
    return join(dir, 'file');
  }

  it('comes whole, from its place in the file, and from an offset', async () => {
    const path = file();
    expect(await buffer(readRange({ path, offset: 0, size }))).toEqual(bytes);
    const part = { path, offset: 100, size: size - 300 };
    expect(await buffer(readRange(part))).toEqual(bytes.subarray(100, size - 200));
    expect(await buffer(readRange(part, 50))).toEqual(bytes.subarray(150, size - 200));
    expect(await buffer(readRange(part, part.size))).toEqual(Buffer.alloc(0));
  });

  it('ends early where the file does', async () => {
    const path = file();
    expect(await buffer(readRange({ path, offset: 100, size }))).toEqual(bytes.subarray(100));
  });

  it('fails as a stream does when there is no file', async () => {
    const stream = readRange({ path: '/nowhere/at/all', offset: 0, size });
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is given up when the signal fires, before or after', async () => {
    const path = file();
    const early = readRange({ path, offset: 0, size }, 0, AbortSignal.abort());
    await expect(buffer(early)).rejects.toMatchObject({ code: 'ABORTED' });
    const stopper = new AbortController();
    const late = readRange({ path, offset: 0, size }, 0, stopper.signal);
    stopper.abort();
    await expect(buffer(late)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
