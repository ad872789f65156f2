// push, save and load at the command line: exit codes, pipes, and what people read.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { cli, runCli } from '../support/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';

const run = promisify(execFile);

let dir: string;
let env: Record<string, string>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-push-'));
  env = { OCITOOL_STORE: join(dir, 'store') };
  const place = memoryPlace();
  const name = parseReference('app:1');
  nameImage(place, name, addImage(place));
  await createCopier(await openStore(env.OCITOOL_STORE!)).copy(place, name);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('an archive through a pipe: save to stdout, load from stdin, nothing left behind', async () => {
  const ocitool = `${process.execPath} ${join(import.meta.dirname, '../../bin/ocitool.cjs')}`;
  const temporary = join(dir, 'tmp');
  await run(
    'sh',
    [
      '-c',
      `mkdir ${temporary} && ${ocitool} save -q app:1 docker-archive:- | ${ocitool} load -q --store ${dir}/other -`,
    ],
    {
      env: { ...process.env, ...env, TMPDIR: temporary },
    },
  );
  // Compiled code is there to stay.
  const left = readdirSync(temporary).filter((name) => /^ocitool-(?!code-)/.test(name));
  expect(left).toEqual([]);
  const digest = await cli(['digest', 'app:1'], { env });
  expect(await cli(['digest', 'app:1'], { env: { OCITOOL_STORE: join(dir, 'other') } })).toBe(digest);
});

test('referrers: none in the store, and where else they may be', async () => {
  const { stdout, stderr } = await runCli(['referrers', 'app:1'], { env });
  expect([stdout, stderr]).toEqual([
    '',
    'warning: none in the store; at the registry: ocitool referrers docker://app:1\n',
  ]);
});

test('an argument that is left out is not taken from a pipe', async () => {
  const ocitool = `${process.execPath} ${join(import.meta.dirname, '../../bin/ocitool.cjs')}`;
  const script = `echo wrong/NAME | ${ocitool} load -q --store ${dir}/piped ${dir}/app.tar`;
  await cli(['save', '-q', 'app:1', `docker-archive:${dir}/app.tar`], { env });
  const { stdout } = await run('sh', ['-c', script], { env: { ...process.env, ...env } });
  expect(stdout).toMatch(/^app@sha256:/);
});

describe.skipIf(!hasTools('docker-registry', 'htpasswd'))('a registry with a password', () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry({ htpasswd: { username: 'me', password: 'secret' } });
  });
  afterAll(() => registry.close());

  test('no right to push: exit 4, and how to log in', async () => {
    const { code, stdout, stderr } = await runCli(['push', '-q', 'app:1', `${registry.address}/app:1`], {
      env,
    });
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^error: .*wants a user name/),
      expect.stringMatching(/^hint: .*ocitool login/),
    ]);
  });

  test('logged in: pushed, told blob by blob and named by digest', async () => {
    const authfile = join(dir, 'auth.json');
    const auth = Buffer.from('me:secret').toString('base64');
    writeFileSync(authfile, JSON.stringify({ auths: { [registry.address]: { auth } } }));
    const to = `${registry.address}/app:1`;
    const { code, stdout, stderr } = await runCli(['push', 'app:1', to, '--authfile', authfile], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${registry.address}/app@sha256:[0-9a-f]{64}\n$`));
    expect(stderr.match(/: pushed, /g)).toHaveLength(3);
  });
});
