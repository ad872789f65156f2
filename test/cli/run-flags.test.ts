// The flags of run together: where they end, and the request they make.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Parser } from '@oclif/core';
import { describe, expect, it } from 'vitest';
import { globalFlags } from '../../src/cli/flags.ts';
import { flagsFirst } from '../../src/cli/flags-first.ts';
import { runFlags, runRequest } from '../../src/cli/run-flags.ts';

const known = { ...globalFlags, ...runFlags };
const host = { env: { HERE: 'v' }, cwd: tmpdir() };

/** As the command does it. */
async function parse(line: string[]) {
  const { flags, raw } = await Parser.parse(flagsFirst(line, known), {
    flags: runFlags,
    strict: false,
    args: {},
  });
  const [image, ...command] = raw.flatMap((token) => (token.type === 'arg' ? [token.input] : []));
  return { image, command, request: () => runRequest(flags, command, host) };
}

describe('flags end at the image', () => {
  it.each([
    [['alpine', 'ls', '-l', '--name', 'x'], 'alpine', ['ls', '-l', '--name', 'x']],
    [['--rm', 'alpine', '--rm'], 'alpine', ['--rm']],
    [['--name', 'web', 'alpine', '-x'], 'alpine', ['-x']],
    [['--name=web', 'alpine', '-x'], 'alpine', ['-x']],
    [['-it', 'alpine', 'sh', '-c', 'ls -- x', '--', 'y'], 'alpine', ['sh', '-c', 'ls -- x', '--', 'y']],
    [['-itw', '/tmp', 'alpine', '-x'], 'alpine', ['-x']],
    [['-e', 'A=1', '-eB=2', '-e=C=3', 'alpine', 'env', '-i'], 'alpine', ['env', '-i']],
    [['-p', '80', '-p', '81', 'alpine'], 'alpine', []],
    [['--pids-limit', '-1', 'alpine', '-1'], 'alpine', ['-1']],
    [['--', 'alpine', '-x'], 'alpine', ['-x']],
    [['alpine', 'echo', 'a', 'b', 'a'], 'alpine', ['echo', 'a', 'b', 'a']],
  ])('%j', async (line, image, command) => {
    expect(await parse(line)).toMatchObject({ image, command });
  });

  it('leave what is no flag for the parser to refuse', async () => {
    await expect(parse(['--nmae', 'web', 'alpine'])).rejects.toThrow(/Nonexistent flag: --nmae/);
  });
});

describe('the request', () => {
  it('of an image alone has defaults only', async () => {
    expect((await parse(['alpine'])).request()).toEqual({
      command: [],
      env: [],
      mounts: [],
      readonly: false,
      labels: {},
      capAdd: [],
      capDrop: [],
      securityOpt: [],
      ulimits: [],
      init: false,
      terminal: false,
      interactive: false,
      detach: false,
      remove: false,
      runtime: 'auto',
      requireIsolation: false,
      networks: [],
      publish: [],
    });
  });

  it('has everything that was given', async () => {
    const line = [
      ...['-d', '-i', '-t', '--rm', '--init', '--read-only', '--require-isolation'],
      ...['--name', 'web', '--hostname', 'box', '-u', 'app:wheel', '-w', '/app', '--entrypoint', '["a","b"]'],
      ...['-e', 'A=1', '-e', 'HERE', '-l', 'k=v=w', '--label', 'bare', '-v', '.:/here:ro', '-v', 'vol:/vol'],
      ...[
        '--tmpfs',
        '/run',
        '-p',
        '5000:5000',
        '--network',
        'a',
        '--network',
        'b',
        '-m',
        '64m',
        '--cpus',
        '1.5',
      ],
      ...['--pids-limit', '-1', '--shm-size', '1m', '--cap-add', 'net_raw', '--cap-drop', 'ALL'],
      ...['--security-opt', 'no-new-privileges=false', '--ulimit', 'nofile=10', '--stop-signal', 'int'],
      ...['--runtime', 'crun', 'alpine', 'sh'],
    ];
    expect((await parse(line)).request()).toMatchObject({
      command: ['sh'],
      detach: true,
      interactive: true,
      terminal: true,
      remove: true,
      init: true,
      readonly: true,
      requireIsolation: true,
      name: 'web',
      hostname: 'box',
      user: 'app:wheel',
      workdir: '/app',
      entrypoint: ['a', 'b'],
      env: ['A=1', 'HERE=v'],
      labels: { k: 'v=w', bare: '' },
      mounts: [
        { kind: 'bind', target: '/here', readonly: true },
        { kind: 'volume', name: 'vol', target: '/vol' },
        { kind: 'tmpfs', target: '/run' },
      ],
      publish: [{ address: '127.0.0.1', hostPort: 5000, containerPort: 5000 }],
      networks: ['a', 'b'],
      memory: 64 << 20,
      cpus: 1.5,
      pidsLimit: -1,
      shmSize: 1 << 20,
      capAdd: ['CAP_NET_RAW'],
      capDrop: ['ALL'],
      securityOpt: ['no-new-privileges=false'],
      ulimits: [{ name: 'nofile', soft: 10, hard: 10 }],
      stopSignal: 'SIGINT',
      runtime: 'crun',
    });
  });

  it('takes an empty entrypoint for none', async () => {
    expect((await parse(['--entrypoint', '', 'alpine', 'sh'])).request().entrypoint).toEqual([]);
    expect((await parse(['--entrypoint', 'sh', 'alpine'])).request().entrypoint).toEqual(['sh']);
  });

  it('holds the text of a seccomp profile, not its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ocitool-profile-'));
    try {
      const text = '{"defaultAction":"SCMP_ACT_ALLOW"}';
      writeFileSync(join(folder, 'p.json'), text);
      const { request } = await parse(['--security-opt', `seccomp=${folder}/p.json`, 'alpine']);
      expect(request().securityOpt).toEqual([`seccomp=${text}`]);
      writeFileSync(join(folder, 'p.json'), '{}');
      expect(request).toThrow(expect.objectContaining({ code: 'USAGE' }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    [['--cap-add', 'NET_RAWW'], '--cap-add NET_RAWW'],
    [['-w', 'app'], '--workdir app'],
    [['--hostname', 'a_b'], '--hostname a_b'],
    [['--hostname', 'x'.repeat(65)], '--hostname x'],
    [['--label', '=x'], '--label =x'],
    [['--entrypoint', '["a",1]'], '--entrypoint'],
    [['--tmpfs', '/a', '--tmpfs', '/b/../a'], '/a: two mounts'],
    [['--memory', 'lots'], '--memory lots'],
    [['--security-opt', 'apparmor=x'], '--security-opt apparmor=x'],
    [['--stop-signal', 'STOPP'], '--stop-signal STOPP'],
    [['-p', 'web'], '-p web'],
  ])('%j is refused by name', async (line, message) => {
    const { request } = await parse([...line, 'alpine']);
    expect(request).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining(message),
        hint: expect.stringMatching(/./),
      }),
    );
  });
});
