// --json of every command against docs/schema.json, and the exit codes of the contract, with the real command line.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, runCli } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { type ServedImage, serveImage } from '../support/served-image.ts';
import { hasTools } from '../support/tools.ts';
import { startUploadServer } from '../support/upload-server.ts';

const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../docs/schema.json'), 'utf8'),
) as object;
const ajv = new Ajv({ strict: false });
ajv.addSchema(schema, 'schema');

let served: ServedImage;
let env: Record<string, string>;

beforeAll(async () => {
  served = await serveImage();
  env = { OCITOOL_STORE: join(served.dir, 'store') };
  await cli(['pull', served.name], { env });
});
afterAll(() => served.close());

async function answer(definition: string, ...args: string[]): Promise<unknown> {
  const stdout = await cli([...args, '--json'], { env });
  const value: unknown = JSON.parse(stdout);
  const valid = ajv.validate({ $ref: `schema#/definitions/${definition}` }, value);
  expect(ajv.errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  return value;
}

describe('answers fit their schemas', () => {
  test('pull', async () => {
    await answer('pull', 'pull', served.name);
  });
  test('digest, of the store and of the registry', async () => {
    const [stored, remote] = [
      await answer('digestAnswer', 'digest', served.name),
      await answer('digestAnswer', 'digest', `docker://${served.name}`),
    ];
    expect(stored).toMatchObject({ digest: (remote as { digest: string }).digest });
  });
  test('manifest', async () => {
    await answer('manifest', 'manifest', served.name);
  });
  test('inspect', async () => {
    expect(await answer('inspect', 'inspect', served.name)).toMatchObject({
      platforms: ['linux/amd64', 'linux/arm64/v8'],
    });
  });
  test('layers, before and after they were read', async () => {
    await answer('layers', 'layers', `docker://${served.name}`);
    const after = await answer('layers', 'layers', '--read', served.name);
    expect(after).toHaveProperty('total.unpackedSize');
  });
  test('layers with what their files weigh', async () => {
    expect(await answer('layers', 'layers', '--files', served.name)).toMatchObject({
      layers: [{ wasted: {} }, { wasted: {} }, { wasted: {} }],
      waste: { paths: expect.any(Array) as unknown },
    });
  });
  test('gc', async () => {
    expect(await answer('gc', 'gc', '--dry-run')).toMatchObject({ names: [], freed: 0 });
  });
  test('tags', async () => {
    const repository = served.name.slice(0, served.name.lastIndexOf(':'));
    expect(await answer('tags', 'tags', repository)).toMatchObject({
      tags: ['2.1-aspnetcore-runtime-alpine'],
    });
  });
  test('images', async () => {
    expect(await answer('images', 'images')).toHaveLength(1);
  });
  test('unpack', async () => {
    await answer('unpack', 'unpack', served.name, join(served.dir, 'rootfs'));
    expect(existsSync(join(served.dir, 'rootfs/usr/share/dotnet'))).toBe(true);
  });
  test('export', async () => {
    await answer('export', 'export', served.name, '-o', join(served.dir, 'rootfs.tar'));
  });
  test('ls', async () => {
    await answer('ls', 'ls', '--recursive', served.name, '/bin');
  });
  test('why', async () => {
    await answer('why', 'why', served.name, '/bin/sh');
  });
  test('cp', async () => {
    await answer('cp', 'cp', `${served.name}:/bin`, join(served.dir, 'bin'));
    expect(existsSync(join(served.dir, 'bin/sh'))).toBe(true);
  });
  test('diff', async () => {
    const other = `docker://${served.name}`;
    expect(await answer('diff', 'diff', served.name, other)).toMatchObject({
      entries: [],
      shared: { layers: 3 },
    });
    expect(
      await answer('diff', 'diff', '--times', '--platform', 'linux/arm64', served.name, other, '/bin'),
    ).toMatchObject({ path: '/bin' });
  });
  test('push, copy, save, load', async () => {
    const at = (name: string): string => join(served.dir, name);
    expect(
      await answer('copiedImage', 'copy', `docker://${served.name}`, `oci:${at('layout')}:x`),
    ).toMatchObject({
      destination: served.name,
    });
    const uploads = await startUploadServer();
    try {
      const pushed = await answer('copiedImage', 'push', served.name, `${uploads.address}/a/b:1`);
      expect(pushed).toMatchObject({ destination: `${uploads.address}/a/b:1` });
    } finally {
      await uploads.close();
    }
    await answer('copiedImages', 'save', served.name, `docker-archive:${at('image.tar')}`);
    await answer('copiedImages', 'load', at('image.tar'), 'loaded:1');
  });
  test.skipIf(!hasTools('docker-registry'))('attach, referrers, pull --output, --referrers', async () => {
    const file = join(served.dir, 'report.txt');
    writeFileSync(file, 'all is well');
    // To the platform that is there, whatever else the tests here have pulled.
    const amd64 = ['--platform', 'linux/amd64'];
    const attaching = [served.name, `${file}:text/plain`, '--artifact-type', 'a/b', ...amd64];
    const attached = await answer('attach', 'attach', ...attaching);
    const { digest } = attached as { digest: string };
    expect(await answer('referrers', 'referrers', served.name, ...amd64)).toMatchObject({
      referrers: [{ digest }],
    });
    const { address, close } = await startDockerRegistry();
    try {
      const pushed = await answer('copiedImage', 'push', '--referrers', served.name, `${address}/a/b:1`);
      expect(pushed).toMatchObject({ referrers: [digest] });
      const pushing = ['--artifact-type', 'a/b', `${address}/a/files:1`, `${file}:text/plain`];
      expect(await answer('pushFiles', 'push', ...pushing)).toMatchObject({
        name: `${address}/a/files:1`,
        files: [{ title: 'report.txt', size: 11 }],
      });
      const to = join(served.dir, 'files');
      const files = await answer('pullFiles', 'pull', '--output', to, `${address}/a/b@${digest}`);
      expect(files).toMatchObject({ files: [{ path: join(to, 'report.txt'), mediaType: 'text/plain' }] });
      const pulled = await answer('pull', 'pull', '--referrers', `${address}/a/b:1`);
      expect(pulled).toMatchObject([{ referrers: [digest] }]);
    } finally {
      await close();
    }
  });
  test('sync, and the exit code of what failed in it', async () => {
    const file = join(served.dir, 'mirror.yaml');
    const [repository, tag] = [
      served.name.slice(0, served.name.lastIndexOf(':')),
      served.name.split(':').at(-1),
    ];
    writeFileSync(file, `- {source: ${repository}, target: store:mirror/dotnet, tags: '${tag}'}\n`);
    expect(await answer('sync', 'sync', '--dry-run', file)).toMatchObject({ copied: 1, dryRun: true });
    expect(await answer('sync', 'sync', file)).toMatchObject({ copied: 1, failed: 0 });
    expect(await answer('sync', 'sync', file)).toMatchObject({ unchanged: 1 });
    writeFileSync(file, `- {source: ${repository}, target: store:mirror/dotnet, tags: [9.9, '${tag}']}\n`);
    const { code, stdout } = await runCli(['sync', '--json', file], { env });
    const value: unknown = JSON.parse(stdout);
    expect(ajv.validate({ $ref: 'schema#/definitions/sync' }, value)).toBe(true);
    expect({ code, value }).toMatchObject({
      code: 3,
      value: { unchanged: 1, failed: 1, results: [{ error: { code: 'IMAGE_NOT_FOUND' } }, {}] },
    });
    await cli(['untag', `mirror/dotnet:${tag}`], { env });
  });
  test('inspect with attestations', async () => {
    await answer('inspect', 'inspect', '--attestations', served.name);
  });
  test('tag, untag', async () => {
    await answer('digestAnswer', 'tag', served.name, 'other:1');
    await answer('namesAnswer', 'untag', 'other:1');
  });
  test('check, df, version', async () => {
    await answer('check', 'check');
    await answer('df', 'df');
    await answer('version', 'version');
  });
});

describe('failures', () => {
  const wrong: [what: string, args: () => string[], exit: number, code: string][] = [
    ['a name that is not one', () => ['pull', 'No/Such'], 2, 'INVALID_REFERENCE'],
    ['an unknown command', () => ['frob'], 2, 'USAGE'],
    ['an unknown flag', () => ['images', '--frob'], 2, 'USAGE'],
    ['a missing argument', () => ['pull'], 2, 'USAGE'],
    ['a wrong platform', () => ['pull', served.name, '--platform', 'nonsense'], 2, 'INVALID_PLATFORM'],
    ['no such tag', () => ['pull', served.name.replace('2.1-asp', '2.2-asp')], 3, 'IMAGE_NOT_FOUND'],
    ['no such platform', () => ['pull', served.name, '--platform', 'linux/s390x'], 3, 'PLATFORM_NOT_FOUND'],
    ['a push of what is not there', () => ['push', 'nothing:1'], 3, 'IMAGE_NOT_FOUND'],
    ['files pushed without a type', () => ['push', 'a:1', 'b', 'c'], 2, 'USAGE'],
    ['a push of no files', () => ['push', 'a:1', '--artifact-type', 'a/b'], 2, 'USAGE'],
    [
      'a platform of files',
      () => ['push', 'a:1', import.meta.filename, '--artifact-type', 'a/b', '--platform', 'linux/amd64'],
      2,
      'USAGE',
    ],
    ['a tag that is not there', () => ['untag', 'nothing:1'], 3, 'IMAGE_NOT_FOUND'],
    ['a save to nowhere', () => ['save', served.name], 2, 'USAGE'],
    ['a removal of what is no registry’s', () => ['rm', served.name], 2, 'USAGE'],
    ['a sync without a file', () => ['sync', '/nonexistent.yaml'], 3, 'PATH_NOT_FOUND'],
    ['an attachment without a type', () => ['attach', served.name, 'x'], 2, 'USAGE'],
    ['an attachment of nothing', () => ['attach', served.name, '--artifact-type', 'a/b'], 2, 'USAGE'],
    ['a directory attached', () => ['attach', served.name, '/tmp', '--artifact-type', 'a/b'], 2, 'USAGE'],
    ['no such path', () => ['cat', served.name, '/nope'], 3, 'PATH_NOT_FOUND'],
    ['no such archive', () => ['inspect', 'oci-archive:/nonexistent.tar'], 3, 'PATH_NOT_FOUND'],
    ['a refused connection', () => ['pull', '127.0.0.1:1/a/b'], 5, 'NETWORK'],
    [
      'a destination with something in it',
      () => ['unpack', served.name, served.dir],
      1,
      'DESTINATION_NOT_EMPTY',
    ],
  ];
  test.each(wrong)('%s', async (_, args, exit, code) => {
    const { code: status, stdout } = await runCli([...args(), '--json'], { env });
    const value = JSON.parse(stdout) as { error: { code: string } };
    expect(ajv.validate({ $ref: 'schema#/definitions/error' }, value)).toBe(true);
    expect({ status, code: value.error.code }).toEqual({ status: exit, code });
  });

  test('for people: one line and a hint on stderr, nothing on stdout, no stack', async () => {
    const { stdout, stderr } = await runCli(['pull', served.name.replace('2.1-asp', '2.2-asp')], { env });
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^error: .*2\.2-aspnetcore-runtime-alpine/),
      expect.stringMatching(/^hint: .*2\.1-aspnetcore-runtime-alpine/),
    ]);
  });

  test('a file pushed as oras would, without a type: how to', async () => {
    writeFileSync(join(served.dir, 'notes'), '');
    for (const [file, exit] of [
      ['notes', 3],
      [join(served.dir, 'notes:text/plain'), 2],
    ] as const) {
      const pushing = ['push', '127.0.0.1:1/a:1', file];
      const { code, stderr } = await runCli(pushing, { env, cwd: served.dir });
      expect(code).toBe(exit);
      expect(stderr).toMatch(/^hint: to push files: ocitool push --artifact-type TYPE NAME FILE/m);
    }
  });

  test('something that is no layer', async () => {
    const layout = join(served.dir, 'bad');
    mkdirSync(layout);
    writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(
      join(layout, 'index.json'),
      '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../x","size":1}]}',
    );
    const { code } = await runCli(['inspect', `oci:${layout}`], { env });
    expect(code).toBe(6);
  });
});

test('a reader that leaves early is no failure', async () => {
  const { spawnSync } = await import('node:child_process');
  const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
  const { stdout, stderr } = spawnSync(
    'bash',
    [
      '-c',
      `"$0" "$1" export "$2" | head -c 10 >/dev/null; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      bin,
      served.name,
    ],
    {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    },
  );
  expect(stderr).toBe('');
  expect(stdout).toBe('0\n');
});
