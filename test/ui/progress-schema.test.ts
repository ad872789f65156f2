// The events of --progress json are those of docs/schema.json: a pull from a registry that has trouble, and every kind once.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { createJsonLines } from '../../src/ui/json-lines.ts';
import { memoryRegistry, startFaultProxy } from '../support/fault-proxy.ts';
import { seededImages } from '../support/fault-run.ts';
import { addBlob, memoryPlace } from '../support/image-builder.ts';

const ajv = new Ajv({ allErrors: true, strict: false });
ajv.addSchema(JSON.parse(readFileSync('docs/schema.json', 'utf8')), 'schema');

function expectValid(event: unknown): void {
  expect([event, ajv.validate({ $ref: 'schema#/definitions/progress' }, event)]).toEqual([event, true]);
}

test('every event of a troubled pull', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-progress-'));
  const image = seededImages()[6]!;
  const asked = new Map<string, number>();
  const proxy = await startFaultProxy(memoryRegistry(image), ({ path }) => {
    const count = asked.get(path) ?? 0;
    asked.set(path, count + 1);
    if (count > 0) return { type: 'none' };
    if (path.endsWith(image.layers[0]!)) return { type: 'status', status: 429 };
    return path.endsWith(image.layers[1]!) ? { type: 'cut', at: 100 } : { type: 'none' };
  });
  const lines: string[] = [];
  const client = createClient({
    store: dir,
    onProgress: createJsonLines((line) => lines.push(line)).onProgress,
    transport: { plainHttp: true, retry: { baseMs: 1 } },
  });
  try {
    await pull(client, `${proxy.address}/app:1`);
    await pull(client, `${proxy.address}/app:1`);
  } finally {
    await client.close();
    await proxy.close();
    rmSync(dir, { recursive: true, force: true });
  }
  const events = lines.map((line) => JSON.parse(line) as ProgressEvent);
  for (const event of events) expectValid(event);
  const types = new Set(events.map(({ type }) => type));
  for (const type of ['resolved', 'queued', 'started', 'done', 'retrying', 'reused'] as const)
    expect([type, types.has(type)]).toEqual([type, true]);
  expect(events).toContainEqual(expect.objectContaining({ type: 'retrying', status: 429 }));
});

test('every kind there is, and nothing else', () => {
  const descriptor = addBlob(memoryPlace(), 'x/y', randomBytes(5));
  const { digest } = descriptor;
  const kinds = {
    resolved: { type: 'resolved', name: 'alpine', descriptor },
    queued: { type: 'queued', descriptor },
    started: { type: 'started', descriptor, offset: 0 },
    resumed: { type: 'resumed', descriptor, offset: 3 },
    advanced: { type: 'advanced', digest, bytes: 4 },
    reused: { type: 'reused', descriptor },
    done: { type: 'done', descriptor, verb: 'copied' },
    retrying: { type: 'retrying', what: 'w', reason: 'r', attempt: 1, delayMs: 0, digest, status: 503 },
    warning: { type: 'warning', message: 'm' },
    unpacking: { type: 'unpacking', digest, bytes: 1 },
    hashing: { type: 'hashing', path: 'big.bin', bytes: 1, size: 2 },
    unpacked: { type: 'unpacked', digest, entries: 2 },
  } satisfies { [Type in ProgressEvent['type']]: Extract<ProgressEvent, { type: Type }> };
  for (const event of Object.values(kinds)) {
    expectValid(event);
    expect(ajv.validate({ $ref: 'schema#/definitions/progress' }, { ...event, more: 1 })).toBe(false);
  }
});
