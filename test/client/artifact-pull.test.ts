// Pulling the files of artifacts: by their titles, verified, and never out of the directory that was named.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { pullFiles } from '../../src/client/artifact-pull.ts';
import { attach } from '../../src/client/attach.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { inspect } from '../../src/client/inspect.ts';
import { pull } from '../../src/client/pull.ts';
import { referrers } from '../../src/client/referrers.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { EMPTY, TITLE, UNPACK } from '../../src/manifest/artifact.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { familiarReference, parseReference, withDigest } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { goTool } from '../support/go-tools.ts';
import { addBlob, addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTarGz, directory, file } from '../support/tar-builder.ts';
import { tool } from '../support/tools.ts';

const TYPE = 'application/vnd.example.report';

let dir: string;
let out: string;
let served: StoreServer;
let client: Client;
let host: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-artifact-'));
  served = await serveStore(await openStore(join(dir, 'served')));
  host = new URL(served.url).host;
  client = createClient({ store: join(dir, 'store') });
});
beforeEach(() => {
  out = mkdtempSync(join(dir, 'out-'));
});
afterAll(async () => {
  await client.close();
  await served.close();
  rmSync(dir, { recursive: true, force: true });
});

/** An artifact of these layers in the registry; each with its title and further annotations. */
async function artifact(
  layers: [title: string | undefined, content: Buffer, more?: object][],
): Promise<string> {
  const place = memoryPlace();
  const described = layers.map(([title, content, more]): Descriptor => {
    const annotations = { ...(title !== undefined && { [TITLE]: title }), ...more };
    return { ...addBlob(place, more === undefined ? TYPE : OCI_LAYER_GZIP, content), annotations };
  });
  addBlob(place, EMPTY.mediaType, '{}');
  const root = addBlob(place, OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: TYPE,
    config: EMPTY,
    layers: described,
  });
  const name = parseReference(`${host}/team/artifact:${root.digest.slice(7, 20)}`);
  nameImage(place, name, root);
  await createCopier(await client.repository(name, 'push')).copy(place, name);
  return familiarReference(name);
}

const seen = (): string[] => readdirSync(out, { recursive: true }).map(String).sort();

test('what was attached comes back, byte for byte', async () => {
  const place = memoryPlace();
  const name = parseReference(`${host}/team/app:1`);
  nameImage(place, name, addImage(place));
  await createCopier(await client.repository(name, 'push')).copy(place, name);
  const big = randomBytes(3_000_000);
  writeFileSync(join(dir, 'big'), big);
  writeFileSync(join(dir, 'empty'), '');
  const { root } = await attach(client, familiarReference(name), [join(dir, 'big'), join(dir, 'empty')], {
    artifactType: TYPE,
  });
  const pulled = await pullFiles(client, familiarReference(withDigest(name, root.digest)), out);
  expect(pulled).toMatchObject({ digest: root.digest, artifactType: TYPE });
  expect(readFileSync(join(out, 'big')).equals(big)).toBe(true);
  expect(seen()).toEqual(['big', 'empty']);
});

test('folders in titles are made; the same bytes under two names are two files', async () => {
  const same = Buffer.from('same');
  const image = await artifact([
    ['a/b/one', same],
    ['a/two', same],
    [undefined, Buffer.from('nameless')],
  ]);
  const warnings: string[] = [];
  const telling: Client = {
    ...client,
    onProgress: (event) => event.type === 'warning' && warnings.push(event.message),
  };
  await pullFiles(telling, image, out);
  expect(seen()).toEqual(['a', 'a/b', 'a/b/one', 'a/two']);
  expect(readFileSync(join(out, 'a/b/one'), 'utf8') + readFileSync(join(out, 'a/two'), 'utf8')).toBe(
    'samesame',
  );
  expect(warnings).toEqual([expect.stringContaining('1 layers without a file name')]);
});

test('an artifact goes into the store like any image', async () => {
  const image = await artifact([['file', Buffer.from('content')]]);
  const [pulled] = await pull(client, image);
  const store = await client.store();
  expect(await store.resolve(parseReference(image))).toMatchObject({ digest: pulled?.root.digest });
  expect(await store.check()).toMatchObject({ ok: true });
  // And nobody takes it for a broken image.
  await expect(inspect(client, image)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining(`an artifact (${TYPE})`) as unknown,
  });
});

describe('titles', () => {
  test.each(['../x', '/etc/x', 'a/../../x', 'a//b', '.', '..', './x', 'a/', 'a\0b', `${'n'.repeat(256)}`])(
    '%j: refused, and nothing is written',
    async (title) => {
      const image = await artifact([
        ['fine', Buffer.from('fine')],
        [title, Buffer.from('bad')],
      ]);
      const before = readdirSync(dir);
      await expect(pullFiles(client, image, out)).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
      expect(seen()).toEqual([]);
      expect(readdirSync(dir)).toEqual(before);
    },
  );
  test('two of one name, or one inside the other: refused', async () => {
    for (const titles of [
      ['x', 'x'],
      ['x', 'x/y'],
      ['x/y', 'x'],
    ]) {
      const image = await artifact(titles.map((title, i) => [title, Buffer.from(`${i}`)]));
      await expect(pullFiles(client, image, out)).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
      expect(seen()).toEqual([]);
    }
  });
  test('through a link that is there: not followed', async () => {
    const elsewhere = mkdtempSync(join(dir, 'elsewhere-'));
    symlinkSync(elsewhere, join(out, 'a'));
    const image = await artifact([
      ['before', Buffer.from('1')],
      ['a/x', Buffer.from('2')],
    ]);
    for (const force of [false, true]) {
      await expect(pullFiles(client, image, out, { force })).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
    }
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(readdirSync(out)).toEqual(['a']);
  });
});

test('a directory that was made for files that did not come goes again', async () => {
  const image = await artifact([['docs', buildTarGz([file('other', 'x')]), { [UNPACK]: 'true' }]]);
  await expect(pullFiles(client, image, join(out, 'new'))).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
  expect(seen()).toEqual([]);
});

test('what is there stays, unless --force; a link is replaced, not written through; a directory never', async () => {
  const image = await artifact([['file', Buffer.from('new')]]);
  writeFileSync(join(dir, 'target'), 'theirs');
  symlinkSync(join(dir, 'target'), join(out, 'file'));
  await expect(pullFiles(client, image, out)).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
  await pullFiles(client, image, out, { force: true });
  expect(readFileSync(join(out, 'file'), 'utf8')).toBe('new');
  expect(readFileSync(join(dir, 'target'), 'utf8')).toBe('theirs');
  rmSync(join(out, 'file'));
  mkdirSync(join(out, 'file'));
  await expect(pullFiles(client, image, out, { force: true })).rejects.toMatchObject({
    code: 'DESTINATION_NOT_EMPTY',
  });
});

test('an image’s layers have no names: unpack is named', async () => {
  const place = memoryPlace();
  const name = parseReference(`${host}/team/plain:1`);
  nameImage(place, name, addImage(place));
  await createCopier(await client.repository(name, 'push')).copy(place, name);
  await expect(pullFiles(client, familiarReference(name), out)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    hint: expect.stringContaining('ocitool unpack') as unknown,
  });
});

describe('directories packed by oras', () => {
  const packed = { [UNPACK]: 'true' };

  test('are unpacked', async () => {
    const content = buildTarGz([directory('docs/'), file('docs/a.txt', 'a'), file('docs/deep/b.txt', 'b')]);
    await pullFiles(client, await artifact([['docs', content, packed]]), out);
    expect(seen()).toEqual(['docs', 'docs/a.txt', 'docs/deep', 'docs/deep/b.txt']);
  });
  test.each([
    ['more than what it is called', [file('docs/a', 'a'), file('other', 'b')]],
    ['something else', [file('other/a', 'a')]],
    ['a file', [file('docs', 'a')]],
    ['a pipe', [directory('docs/'), { name: 'docs/p', type: '6' }]],
    ['a way out', [file('docs/a', 'a'), file('../../x', 'b')]],
  ])('with %s: refused', async (_, members) => {
    const image = await artifact([['docs', buildTarGz(members), packed]]);
    await expect(pullFiles(client, image, out)).rejects.toMatchObject({ code: 'LAYER_REFUSED' });
    expect(seen()).toEqual([]);
  });
});

test('oras and we read what the other wrote: files, and a directory packed by it', {
  timeout: 300_000,
}, async ({ skip }) => {
  const oras = await goTool('oras');
  if (oras === undefined) return skip();
  const place = memoryPlace();
  const name = parseReference(`${host}/team/oras:1`);
  nameImage(place, name, addImage(place));
  await createCopier(await client.repository(name, 'push')).copy(place, name);
  const image = familiarReference(name);

  writeFileSync(join(dir, 'ours.txt'), 'ours');
  const { root } = await attach(client, image, [join(dir, 'ours.txt')], { artifactType: TYPE });
  expect(await tool(oras, 'discover', '--plain-http', image)).toContain(TYPE);
  const at = familiarReference(withDigest(name, root.digest));
  await tool(oras, 'pull', '--plain-http', '--output', out, at);
  expect(readFileSync(join(out, 'ours.txt'), 'utf8')).toBe('ours');

  const layout = join(dir, 'layout');
  await copyImage(client, `docker://${image}`, `oci:${layout}:1`, { referrers: true });
  expect(await tool(oras, 'discover', '--oci-layout', `${layout}:1`)).toContain(TYPE);
  const file = ['--disable-path-validation', join(dir, 'ours.txt')];
  await tool(oras, 'attach', '--oci-layout', '--artifact-type', 'b/theirs', `${layout}:1`, ...file);
  const both = await referrers(client, `oci:${layout}:1`);
  expect(both.referrers.map(({ artifactType }) => artifactType).sort()).toEqual([TYPE, 'b/theirs']);

  const work = mkdtempSync(join(dir, 'work-'));
  mkdirSync(join(work, 'docs/deep'), { recursive: true });
  writeFileSync(join(work, 'docs/deep/page'), 'page');
  writeFileSync(join(work, 'file'), 'theirs');
  const theirs = `${host}/team/theirs:1`;
  await promisify(execFile)(oras, ['push', '--plain-http', theirs, 'docs', 'file:text/plain'], { cwd: work });
  await pullFiles(client, theirs, out);
  expect(seen()).toEqual(['docs', 'docs/deep', 'docs/deep/page', 'file', 'ours.txt']);
  expect(readFileSync(join(out, 'file'), 'utf8')).toBe('theirs');
});
