// `cp` on the command line: by root, by a normal user, and into a pipe.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { cli, runCli } from '../support/cli.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, directory, file } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

const NOBODY = '65534';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('SKIPPED a normal user: these tests must start as root to become one');

let dir: string;
let env: Record<string, string>;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-cp-'));
  env = { OCITOOL_STORE: join(dir, 'store') };
  const layer = buildTar([
    directory('shut', { mode: 0o555, uid: 1000, gid: 1000 }),
    file('shut/inside', 'hello', { mode: 0o400, uid: 1000, gid: 1000 }),
    { name: 'shut/null', type: '3', major: 1, minor: 3, mode: 0o666 },
  ]);
  const place = memoryPlace();
  const name = parseReference('example.com/app:1');
  nameImage(place, name, addImage(place, { layers: [layer] }));
  await createCopier(await openStore(join(dir, 'store'))).copy(place, name);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('says what it did', async () => {
  const stdout = await cli(['cp', 'example.com/app:1:/shut/inside', dir], { env });
  expect(stdout).toBe(`${join(dir, 'inside')}: 1 entry, 5B\n`);
  const { code, stderr } = await runCli(['cp', 'example.com/app:1:/shut/inside', dir], { env });
  expect(code).toBe(1);
  expect(stderr).toBe(
    `error: ${join(dir, 'inside')}: is there\nhint: choose another place, or replace it with --force\n`,
  );
});

test('into a pipe, as a tar', async () => {
  const tar = await cli(['cp', 'example.com/app:1:/shut', '-'], { env });
  const names = execFileSync('tar', ['-t'], { input: Buffer.from(tar, 'latin1'), encoding: 'utf8' });
  expect(names.split('\n').sort()).toEqual(['', 'shut/', 'shut/inside', 'shut/null']);
});

test('without a path it is a usage error', async () => {
  const { code, stderr } = await runCli(['cp', 'example.com/app:1', dir], { env });
  expect([code, stderr.split('\n')[1]]).toEqual([
    2,
    'hint: write IMAGE:/PATH, with the path from the root of the image',
  ]);
});

test.skipIf(!isRoot || !hasTools('setpriv'))(
  'a normal user has the files as its own, and is told of devices',
  () => {
    const [home, store] = [join(dir, 'home'), join(dir, 'user-store')];
    mkdirSync(home);
    execFileSync('cp', ['-r', join(dir, 'store'), store]);
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, home, store]);
    chmodSync(dir, 0o755);
    const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
    const asUser = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', process.execPath, bin, 'cp'];
    const copy = (path: string) =>
      spawnSync('setpriv', [...asUser, `example.com/app:1:${path}`, home], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: home, OCITOOL_STORE: store },
      });
    const { status, stderr } = copy('/shut');
    expect([status, stderr]).toEqual([0, 'warning: 1 device node was left out: making them needs root\n']);
    const shut = lstatSync(join(home, 'shut'));
    expect([shut.mode & 0o7777, shut.uid, readdirSync(join(home, 'shut'))]).toEqual([
      0o555,
      Number(NOBODY),
      ['inside'],
    ]);
    expect(readFileSync(join(home, 'shut/inside'), 'utf8')).toBe('hello');
    expect(copy('/shut/null').status).toBe(4);
    expect(readdirSync(home).filter((name) => name.includes('.cp-'))).toEqual([]);
  },
);
