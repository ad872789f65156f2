// Files as answers: whole, in part, shorter than promised, and to clients that leave.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sendFile } from '../../src/serve/send-file.ts';

const bytes = randomBytes(9_000_001);
let dir: string;
let path: string;
let server: Server;
let answer: (response: ServerResponse) => Promise<void>;
let answered: Promise<void>;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  path = join(dir, 'blob');
  writeFileSync(path, bytes);
  server = createServer((_, response) => {
    answered = answer(response);
    answered.catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

async function ask(): Promise<IncomingMessage> {
  const request = get({ port: (server.address() as AddressInfo).port, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function isOpen(): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });
}

it('a file comes as it is', async () => {
  answer = (response) => sendFile(response, { path, offset: 0, size: bytes.length });
  expect(bytes.equals(await bytesOf(await ask()))).toBe(true);
  await answered;
  expect(isOpen()).toBe(false);
});

it('a range of it ends where it should', async () => {
  answer = (response) => sendFile(response, { path, offset: 1_000_003, size: 5_000_005 });
  expect(bytes.subarray(1_000_003, 6_000_008).equals(await bytesOf(await ask()))).toBe(true);
});

it('an empty range is an answer without bytes', async () => {
  answer = (response) => sendFile(response, { path, offset: 0, size: 0 });
  expect(await bytesOf(await ask())).toHaveLength(0);
});

it('a file that is shorter than promised is cut off, not ended', async () => {
  answer = (response) => sendFile(response, { path, offset: 0, size: bytes.length + 1 });
  await expect(bytesOf(await ask())).rejects.toThrow('aborted');
  await answered;
  expect(isOpen()).toBe(false);
});

it('what cannot be read is an error, and the answer is cut off', async () => {
  answer = (response) => {
    response.flushHeaders();
    return sendFile(response, { path: dir, offset: 0, size: 10 });
  };
  await expect(bytesOf(await ask())).rejects.toThrow('aborted');
  await expect(answered).rejects.toThrow('EISDIR');
});

it('a client that leaves in the middle leaves nothing open', async () => {
  answer = (response) => sendFile(response, { path, offset: 0, size: bytes.length });
  const response = await ask();
  await once(response, 'readable');
  expect(isOpen()).toBe(true);
  response.destroy();
  await answered;
  expect(isOpen()).toBe(false);
});

it('a client that left before the first byte gets none', async () => {
  answer = async (response) => {
    response.destroy();
    await sendFile(response, { path, offset: 0, size: bytes.length });
  };
  await expect(ask()).rejects.toThrow('socket hang up');
  await answered;
  expect(isOpen()).toBe(false);
});
