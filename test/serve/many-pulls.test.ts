// Two hundred pulls at once whose clients do not read on: what the server holds for them is bounded.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { giveUpBuffer, lendBuffer, returnBuffer } from '../../src/serve/buffers.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';

const PULLS = 200;
const MOST_BYTES = 300e6;

const place = memoryPlace();
/** More than the kernel takes for a client that does not read. */
const layer = randomBytes(16 << 20);
const image = addImage(place, { layers: [layer] });
let dir: string;
let server: RunningCli;
let url: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  const store = await openStore(join(dir, 'store'));
  for (const [digest, bytes] of place.blobs) {
    const ingest = await store.ingest({ mediaType: 'application/octet-stream', digest, size: bytes.length });
    await ingest?.write(bytes);
    await ingest?.commit();
  }
  await store.tag(image, parseReference('app:1'));
  server = startCli(['serve', '--port', '0', '--store', join(dir, 'store')]);
  const [line] = (await once(server.process.stderr as NodeJS.ReadableStream, 'data')) as [string];
  url = `${/http:\S+/.exec(line)?.[0]}/v2/app/blobs/${digestOf(layer)}`;
});

afterAll(async () => {
  server.process.kill();
  await server.result;
  rmSync(dir, { recursive: true, force: true });
});

/** An answer whose first bytes came, and no more are read. */
function begin(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.once('readable', () => resolve(response)).on('error', () => {});
    }).once('error', reject);
  });
}

/** The most bytes the server ever had in memory. */
function peak(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

it('two hundred pulls that are not read on stay within 300 MB, and go on when they are read', async () => {
  const answers = await Promise.all(Array.from({ length: PULLS }, begin));
  expect(peak()).toBeLessThan(MOST_BYTES);
  const [first, ...others] = answers as [IncomingMessage, ...IncomingMessage[]];
  const chunks: Buffer[] = [];
  for await (const chunk of first) chunks.push(chunk as Buffer);
  expect(digestOf(Buffer.concat(chunks))).toBe(digestOf(layer));
  for (const answer of others) answer.destroy();
  expect(peak()).toBeLessThan(MOST_BYTES);
}, 120_000);

it('buffers are the smaller the more of them are lent, and large again when they are back', () => {
  const lent = Array.from({ length: 2000 }, lendBuffer);
  expect(lent.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(100e6);
  expect(new Set(lent)).toHaveLength(2000);
  for (const buffer of lent.slice(0, 1000)) returnBuffer(buffer);
  for (const buffer of lent.slice(1000)) giveUpBuffer(buffer);
  const again = lendBuffer();
  expect(again).toHaveLength(256 * 1024);
  expect(lent.slice(0, 1000)).toContain(again);
  returnBuffer(again);
});
