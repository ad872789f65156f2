// Pushing files as an artifact of their own, and getting them back: ours, and with oras.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { pullFiles } from '../../src/client/artifact-pull.ts';
import { pushFiles } from '../../src/client/artifact-push.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { manifest } from '../../src/client/documents.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { goTool } from '../support/go-tools.ts';
import { tool } from '../support/tools.ts';

const TYPE = 'application/vnd.example.settings';

let dir: string;
let served: StoreServer;
let client: Client;
let host: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-artifact-push-'));
  served = await serveStore(await openStore(join(dir, 'served')));
  host = new URL(served.url).host;
  client = createClient({ store: join(dir, 'store') });
  writeFileSync(join(dir, 'app.json'), '{"a":1}');
  writeFileSync(join(dir, 'empty'), '');
});
afterAll(async () => {
  await client.close();
  await served.close();
  rmSync(dir, { recursive: true, force: true });
});

const files = (): string[] => [`${join(dir, 'app.json')}:application/json`, join(dir, 'empty')];

test('files come back as they were, by their names, from an artifact that is about nothing', async () => {
  const name = `${host}/team/settings:1`;
  const pushed = await pushFiles(client, name, files(), { artifactType: TYPE, annotations: { by: 'me' } });
  expect(pushed.name).toBe(name);
  const document = JSON.parse((await manifest(client, `docker://${name}`)).raw.toString()) as object;
  expect(document).toMatchObject({
    artifactType: TYPE,
    layers: [
      { mediaType: 'application/json', size: 7 },
      { mediaType: 'application/octet-stream', size: 0 },
    ],
    annotations: { by: 'me' },
  });
  expect(document).not.toHaveProperty('subject');
  const out = join(dir, 'out');
  expect(await pullFiles(client, name, out)).toMatchObject({
    digest: pushed.root.digest,
    artifactType: TYPE,
  });
  expect(readFileSync(join(out, 'app.json'), 'utf8')).toBe('{"a":1}');
  expect(readFileSync(join(out, 'empty'), 'utf8')).toBe('');
});

test('how far the hashing of a large file is, is told', async () => {
  const path = join(dir, 'large');
  writeFileSync(path, Buffer.alloc(3_000_000));
  const told: object[] = [];
  const telling: Client = {
    ...client,
    onProgress: (event) => event.type === 'hashing' && told.push({ ...event, type: undefined }),
  };
  await pushFiles(telling, `${host}/team/large:1`, [path], { artifactType: TYPE });
  expect(told.length).toBeGreaterThan(1);
  expect(told.at(-1)).toEqual({ path, bytes: 3_000_000, size: 3_000_000 });
});

test('the same files under another name are the same artifact, and are not sent again', async () => {
  const first = await pushFiles(client, `${host}/team/same:1`, files(), { artifactType: TYPE });
  const again = await pushFiles(client, `${host}/team/same:2`, files(), { artifactType: TYPE });
  expect(again.root.digest).toBe(first.root.digest);
  expect(again.reused).toBeGreaterThan(0);
  expect(again.files.map(({ descriptor }) => descriptor.size)).toEqual([7, 0]);
});

test('what is wrong with the files is told before the registry is asked', async () => {
  const nobody = '127.0.0.1:1/a/b';
  const push = (list: string[], artifactType = TYPE): Promise<unknown> =>
    pushFiles(client, nobody, list, { artifactType });
  await expect(push([join(dir, 'no-file')])).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  await expect(push([dir])).rejects.toMatchObject({ code: 'USAGE' });
  await expect(push(files(), 'settings')).rejects.toMatchObject({ code: 'USAGE' });
});

test('oras pulls them', { timeout: 300_000 }, async ({ skip }) => {
  const oras = await goTool('oras');
  if (oras === undefined) return skip();
  const name = `${host}/team/for-oras:1`;
  await pushFiles(client, name, files(), { artifactType: TYPE });
  const out = join(dir, 'oras');
  mkdirSync(out);
  await tool(oras, 'pull', '--plain-http', '--output', out, name);
  expect(readFileSync(join(out, 'app.json'), 'utf8')).toBe('{"a":1}');
});
