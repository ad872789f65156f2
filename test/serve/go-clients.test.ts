// crane, oras and regctl against `serve`: what each pushes it reads back the same, finds by its tags and deletes.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { createClient } from '../../src/client/client.ts';
import { referrers } from '../../src/client/referrers.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { goTool } from '../support/go-tools.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';

const run = promisify(execFile);
/** The first that needs a tool waits for its build. */
const TIMEOUT = { timeout: 300_000 };

let dir: string;
let store: BlobStore;
let server: StoreServer;
let host: string;
let image: Descriptor;
/** A layout with an index of two platforms, named 1. */
let layout: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-clients-'));
  store = await openStore(join(dir, 'store'));
  server = await serveStore(store);
  host = new URL(server.url).host;
  layout = join(dir, 'layout');
  const place = memoryPlace();
  const platforms = ['amd64', 'arm64'].map((architecture) => {
    const platform = { os: 'linux', architecture };
    return { ...addImage(place, { layers: [randomBytes(700_000)], platform }), platform };
  });
  image = addIndex(place, platforms);
  const name = parseReference('example.com/app:1');
  nameImage(place, name, image);
  await createCopier(await openStore(layout)).copy(place, name, { allPlatforms: true });
  // As other tools write it: one entry, named by its tag alone.
  const annotations = { 'org.opencontainers.image.ref.name': '1' };
  const index = { schemaVersion: 2, manifests: [{ ...image, annotations }] };
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
});
afterEach(async () => {
  // A client that was told something wrong may still have left a sound store, or not.
  expect(await store.check()).toMatchObject({ ok: true });
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A tool that reads no settings of this machine and works in a folder of its own. */
function inFolder(program: string, ...always: string[]): (...args: string[]) => Promise<string> {
  const env = { PATH: process.env.PATH, HOME: dir, DOCKER_CONFIG: dir };
  return async (...args) => (await run(program, [...args, ...always], { cwd: dir, env })).stdout.trim();
}

const resolved = async (name: string): Promise<string> => (await store.resolve(parseReference(name))).digest;

const lines = (text: string): string[] => text.split('\n').sort();

test('crane', TIMEOUT, async ({ skip }) => {
  const program = await goTool('crane');
  if (program === undefined) return skip();
  const crane = inFolder(program, '--insecure');
  await crane('push', layout, `${host}/team/app:1`);
  expect(await resolved('team/app:1')).toBe(image.digest);
  expect(await crane('digest', `${host}/team/app:1`)).toBe(image.digest);
  expect(await crane('validate', '--fast', '--remote', `${host}/team/app:1`)).toContain('PASS');
  await crane('copy', `${host}/team/app:1`, `${host}/other/app:2`);
  await crane('tag', `${host}/other/app:2`, 'latest');
  expect(lines(await crane('ls', `${host}/other/app`))).toEqual(['2', 'latest']);
  expect(lines(await crane('catalog', host))).toEqual(['other/app', 'team/app']);
  await crane('pull', '--format', 'oci', `${host}/other/app:latest`, 'pulled');
  expect(await (await openStore(join(dir, 'pulled'))).check()).toMatchObject({ ok: true });
  await crane('delete', `${host}/other/app@${image.digest}`);
  await expect(crane('digest', `${host}/other/app:2`)).rejects.toThrow(/404|unknown/i);
  expect(await crane('digest', `${host}/team/app:1`)).toBe(image.digest);
});

test('oras', TIMEOUT, async ({ skip }) => {
  const program = await goTool('oras');
  if (program === undefined) return skip();
  const oras = inFolder(program, '--plain-http');
  const bare = inFolder(program);
  writeFileSync(join(dir, 'report.txt'), 'all is well');
  await bare('cp', '--from-oci-layout', '--to-plain-http', `${layout}:1`, `${host}/team/app:1`);
  expect(await oras('resolve', `${host}/team/app:1`)).toBe(image.digest);
  await oras('attach', '--artifact-type', 'text/report', `${host}/team/app:1`, 'report.txt:text/plain');
  expect(await oras('discover', `${host}/team/app:1`)).toContain('text/report');
  const plain = ['--from-plain-http', '--to-plain-http'];
  await bare('cp', '--recursive', ...plain, `${host}/team/app:1`, `${host}/other/app:2`);
  expect(await oras('discover', `${host}/other/app:2`)).toContain('text/report');
  await oras('push', '--artifact-type', 'text/alone', `${host}/my/files:1,latest`, 'report.txt:text/plain');
  await oras('pull', '-o', 'out', `${host}/my/files:latest`);
  expect(readFileSync(join(dir, 'out/report.txt'), 'utf8')).toBe('all is well');
  expect(lines(await oras('repo', 'tags', `${host}/my/files`))).toEqual(['1', 'latest']);
  expect(lines(await oras('repo', 'ls', host))).toEqual(['my/files', 'other/app', 'team/app']);
  await oras('manifest', 'delete', '-f', `${host}/my/files:1`);
  await expect(oras('resolve', `${host}/my/files:1`)).rejects.toThrow(/not found/i);
  expect(await oras('resolve', `${host}/team/app:1`)).toBe(image.digest);
});

test('what oras attaches to an image of a served store is listed', TIMEOUT, async ({ skip }) => {
  const program = await goTool('oras');
  if (program === undefined) return skip();
  const oras = inFolder(program);
  writeFileSync(join(dir, 'report.txt'), 'all is well');
  store = await openStore(layout);
  const served = await serveStore(store);
  const client = createClient({ store: layout });
  try {
    const name = `${new URL(served.url).host}/app`;
    await store.tag(image, parseReference('example.com/app:2'));
    await oras('attach', '--oci-layout', '--artifact-type', 'text/report', `${layout}:1`, 'report.txt');
    const [artifact, ...more] = (await referrers(client, 'example.com/app:2')).referrers;
    expect([artifact?.artifactType, more]).toEqual(['text/report', []]);
    expect(await oras('discover', '--plain-http', '--format', 'json', `${name}:2`)).toContain(
      artifact!.digest,
    );
    expect((await referrers(client, `docker://${name}:2`)).referrers).toEqual([artifact]);
    await oras('pull', '--plain-http', '-o', 'out', `${name}@${artifact!.digest}`);
    expect(readFileSync(join(dir, 'out/report.txt'), 'utf8')).toBe('all is well');
    await oras('manifest', 'delete', '-f', '--plain-http', `${name}@${artifact!.digest}`);
    expect((await referrers(client, `docker://${name}:2`)).referrers).toEqual([]);
  } finally {
    await client.close();
    await served.close();
  }
});

test('regctl', TIMEOUT, async ({ skip }) => {
  const program = await goTool('regctl');
  if (program === undefined) return skip();
  const regctl = inFolder(program, '--host', `reg=${host},tls=disabled`);
  writeFileSync(join(dir, 'report.txt'), 'all is well');
  await regctl('image', 'copy', `ocidir://${layout}:1`, `${host}/team/app:1`);
  expect(await resolved('team/app:1')).toBe(image.digest);
  const artifact = ['artifact', 'put', '--artifact-type', 'text/report', '-f', 'report.txt', '--file-title'];
  await regctl(...artifact, '--subject', `${host}/team/app:1`);
  await regctl('image', 'copy', '--referrers', `${host}/team/app:1`, `${host}/other/app:2`);
  expect(await regctl('artifact', 'list', `${host}/other/app:2`)).toContain('text/report');
  expect(await regctl('artifact', 'get', '--subject', `${host}/other/app:2`)).toBe('all is well');
  await regctl('image', 'copy', `${host}/other/app:2`, `${host}/other/app:latest`);
  expect(lines(await regctl('tag', 'ls', `${host}/other/app`))).toEqual(['2', 'latest']);
  await regctl('image', 'copy', `${host}/other/app:latest`, `ocidir://${join(dir, 'pulled')}:1`);
  expect(await (await openStore(join(dir, 'pulled'))).check()).toMatchObject({ ok: true });
  await regctl('tag', 'delete', `${host}/other/app:2`);
  expect(lines(await regctl('tag', 'ls', `${host}/other/app`))).toEqual(['latest']);
  await regctl('manifest', 'delete', `${host}/other/app@${image.digest}`);
  await expect(regctl('manifest', 'head', `${host}/other/app:latest`)).rejects.toThrow(/not found/i);
  expect(await regctl('manifest', 'head', `${host}/team/app:1`)).toBe(image.digest);
});
