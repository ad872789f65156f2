// The life of a container by the command line: as root and as a normal user, through an OCI runtime and our own.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type ContainerHost,
  canRunAs,
  canRunContainers,
  openHost,
  type Who,
} from '../support/container-host.ts';
import { file } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

const CLI = join(import.meta.dirname, '../../bin/ocitool.cjs');
const able = canRunContainers();
const crun = hasTools('crun');

/** For a machine that does much else. */
const LONG = { timeout: 60_000 };
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const CASES: [who: Who, runtime: string][] = [
  ['root', 'builtin'],
  ['user without ids', 'builtin'],
  ...(crun
    ? ([
        ['root', 'crun'],
        ['user', 'crun'],
      ] as [Who, string][])
    : []),
];

describe.each(CASES)('containers of %s through %s', (who, runtime) => {
  const can = able && canRunAs(who);
  // What is the same for everybody is tried by one kind of user.
  const thorough = can && who !== 'user without ids';
  let host: ContainerHost;
  beforeAll(async () => {
    if (can) host = await openHost(who);
  });
  afterAll(() => host?.close());
  const runArgs = (...args: string[]): string[] => [
    'run',
    '--network',
    'none',
    '--runtime',
    runtime,
    ...args,
  ];
  const run = (...args: string[]) => host.run(...runArgs(...args));

  it.runIf(can)('end with their own code, and leave nothing', async () => {
    await run('--rm', 'busybox:1', 'true');
    const before = host.traces();
    const codes = who === 'root' ? [0, 1, 3, 125, 126, 127, 128, 130, 255] : [0, 127, 255];
    const ends = await Promise.all(
      codes.map((code) => run('--rm', 'busybox:1', 'sh', '-c', `echo ${code}; exit ${code}`)),
    );
    expect(ends.map(({ code, stdout }) => [code, stdout])).toEqual(codes.map((code) => [code, `${code}\n`]));
    await host.leavesNothing(before);
  });

  it.runIf(can)('have the command’s input, output and signals', async () => {
    const cat = host.start(runArgs('--rm', '-i', 'busybox:1', 'sh', '-c', 'cat; echo bad >&2'), 'hello\n');
    expect(await cat.result).toMatchObject({
      code: 0,
      stdout: 'hello\n',
      stderr: expect.stringMatching(/bad\n$/),
    });
    const script = 'trap "exit 5" TERM; trap "echo one" USR1; echo ready; while :; do sleep 0.05; done';
    const trap = host.start(runArgs('--rm', 'busybox:1', 'sh', '-c', script));
    await trap.said('ready');
    trap.process.kill('SIGUSR1');
    await trap.said('one');
    trap.process.kill('SIGTERM');
    expect(await trap.result).toMatchObject({ code: 5 });
  });

  it.runIf(thorough)('run in the background: ps, logs, exec, kill, wait, rm', async () => {
    const before = host.traces();
    const script = 'echo out; echo err >&2; exec sleep 1000';
    const { stdout } = await run(
      '-d',
      '--name',
      'web',
      '-e',
      'A=1',
      '--label',
      'x=y',
      'busybox:1',
      'sh',
      '-c',
      script,
    );
    const id = stdout.trim();
    expect(id).toMatch(/^[a-f0-9]{64}$/);
    const [listed] = await host.ps();
    expect(listed).toMatchObject({
      id,
      name: 'web',
      image: 'busybox:1',
      status: 'running',
      command: ['sh', '-c', script],
      runtime,
      labels: { x: 'y' },
    });
    expect((await host.run('logs', '--tail', '1', 'web')).stdout).toBe('err\n');
    const follow = host.start(['logs', '-f', 'web']);
    await follow.said('out\nerr\n');
    const shell = await host.run(
      'exec',
      '-e',
      'B=2',
      '-w',
      '/tmp',
      'web',
      'sh',
      '-c',
      'echo $A $B $PWD; exit 6',
    );
    expect(shell).toMatchObject({ code: 6, stdout: '1 2 /tmp\n' });
    expect(await host.run('exec', 'web', 'nothing')).toMatchObject({ code: 127 });
    expect(await host.run('rm', 'web')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('running'),
    });
    const waiting = host.run('wait', 'web');
    await host.run('kill', id.slice(0, 8));
    expect((await waiting).stdout).toBe('137\n');
    expect(await follow.result).toMatchObject({ code: 0, stdout: 'out\nerr\n' });
    expect(await host.ps()).toMatchObject([{ status: 'exited', exit: { signal: 'SIGKILL' } }]);
    expect((await host.run('ps')).stdout.split('\n')).toHaveLength(2);
    expect(await host.run('rm', 'web')).toMatchObject({ code: 0, stdout: 'web\n' });
    await host.leavesNothing(before);
  });

  it.runIf(thorough)('stop by their signal, or are made to', async () => {
    const script = 'trap "exit 3" QUIT; echo ready; while :; do sleep 0.05; done';
    await run('-d', '--name', 'good', '--stop-signal', 'QUIT', 'busybox:1', 'sh', '-c', script);
    await run('-d', '--name', 'deaf', 'busybox:1', 'sh', '-c', 'echo ready; sleep 1000');
    const ready = host.start(['logs', '-f', 'good']);
    await ready.said('ready');
    expect(await host.run('stop', '-t', '0', 'deaf')).toMatchObject({ code: 0 });
    expect(await host.run('stop', '-t', '60', 'good')).toMatchObject({ code: 0 });
    expect((await host.run('wait', 'good', 'deaf')).stdout).toBe('3\n137\n');
    expect(await host.run('rm', 'good', 'deaf')).toMatchObject({ code: 0 });
  });

  it.runIf(thorough)('end when the command is killed, and leave nothing', async () => {
    const before = host.traces();
    const command = host.start(
      runArgs(
        '--rm',
        '--stop-signal',
        'KILL',
        '--name',
        'orphan',
        'busybox:1',
        'sh',
        '-c',
        'echo up; sleep 1000',
      ),
    );
    await command.said('up');
    command.process.kill('SIGKILL');
    await host.leavesNothing(before);
  });

  it.runIf(can && who === 'root')(
    'leave nothing, or what ps shows and rm removes, at whatever moment the command is killed',
    async () => {
      const before = host.traces();
      await Promise.all(
        Array.from({ length: 12 }, async (_, number) => {
          const command = host.start(runArgs('--rm', '--stop-signal', 'KILL', 'busybox:1', 'sleep', '1000'));
          const end = setTimeout(() => command.process.kill('SIGKILL'), number * 60);
          await command.result;
          clearTimeout(end);
        }),
      );
      // Whoever is about to go has gone when nothing changes any more: only the dead are left.
      await expect
        .poll(async () => (await host.ps()).filter(({ status }) => status !== 'dead'), LONG)
        .toEqual([]);
      for (const { id } of await host.ps()) expect((await host.run('rm', '-f', id)).code).toBe(0);
      await host.leavesNothing(before);
    },
  );

  it.runIf(can)('are mended by rm -f when their monitor was killed', async () => {
    const before = host.traces();
    await run('-d', '--name', 'lost', 'busybox:1', 'sleep', '1000');
    const id = (await host.ps())[0]?.id ?? '';
    const { monitor } = JSON.parse(
      readFileSync(join(host.store, 'ocitool/v1/containers', id, 'state.json'), 'utf8'),
    ) as { monitor: { pid: number } };
    process.kill(outside(monitor.pid, host.store), 'SIGKILL');
    await expect.poll(async () => (await host.ps())[0]?.status, LONG).toMatch(/^(unmonitored|dead)$/);
    expect(await host.run('rm', '-f', 'lost')).toMatchObject({ code: 0 });
    await host.leavesNothing(before);
  });

  it.runIf(can && who === 'root')('are refused with one line, a hint, and nothing left', async () => {
    await run('-d', '--name', 'taken', 'busybox:1', 'sleep', '1000');
    const before = host.traces();
    const cases: [args: string[], code: number, text: RegExp][] = [
      [['--name', 'taken', 'busybox:1', 'true'], 125, /name taken is taken by container/],
      [['busybox:1', 'no-such-command'], 127, /no such command in the image/],
      [['busybox:1', '/etc/passwd'], 126, /permission denied/],
      [['-u', 'nobody-here', 'busybox:1', 'true'], 125, /not in the image/],
      [['-v', '/no/such/folder:/data', 'busybox:1', 'true'], 125, /not there/],
      [['--network', 'nowhere', 'busybox:1', 'true'], 125, /nowhere/],
      [['--pull', 'never', 'busybox:9', 'true'], 125, /not in the store/],
    ];
    for (const [args, code, text] of cases) {
      const { stderr, ...result } = await host.run('run', '--runtime', runtime, '--rm', ...args);
      expect([result.code, stderr]).toEqual([code, expect.stringMatching(text)]);
      expect(stderr).toMatch(/^error: .*\nhint: .*\n$/);
    }
    await host.leavesNothing(before);
    await host.run('rm', '-f', 'taken');
  });
});

/** As this process knows it, the pid of a process of the store's that has `pid` in its own namespace (proc(5), NSpid). */
function outside(pid: number, store: string): number {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const own = /^NSpid:\s.*\b(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      if (own === String(pid) && readFileSync(`/proc/${name}/environ`, 'utf8').includes(store))
        return Number(name);
    } catch {
      // It has ended.
    }
  }
  throw new Error(`no process ${pid}`);
}

describe.runIf(able)('root file systems', () => {
  let host: ContainerHost;
  beforeAll(async () => {
    host = await openHost();
  });
  afterAll(() => host?.close());

  it('are private above and shared below', async () => {
    await host.run(
      'run',
      '-d',
      '--name',
      'one',
      'busybox:1',
      'sh',
      '-c',
      'echo mine >/etc/motd; rm /etc/group; sleep 1000',
    );
    const { stdout } = await host.run('run', '--rm', 'busybox:1', 'ls', '/etc');
    expect(stdout).toContain('group');
    expect(stdout).not.toContain('motd');
    expect((await host.run('rm', '-f', 'one')).code).toBe(0);
  });

  it('are written to disk in the end only if they are kept', async () => {
    const read = ['--network', 'none', 'busybox:1', 'grep', ' / overlay ', '/proc/mounts'];
    expect((await host.run('run', '--rm', ...read)).stdout).toMatch(/[,=]volatile\b/);
    const { stdout } = await host.run('run', '--name', 'kept', ...read);
    expect(stdout).toContain('overlay');
    expect(stdout).not.toContain('volatile');
    expect((await host.run('rm', 'kept')).code).toBe(0);
  });

  it('are kept by gc while an image or a container needs them', async () => {
    await host.addImage('other:1', { layers: [[file('other', 'x')]] });
    await host.run('run', '-d', '--name', 'user', 'other:1', 'sleep', '1000');
    await host.run('untag', 'other:1');
    expect(JSON.parse((await host.run('gc', '--grace', '0s', '--json')).stdout)).toMatchObject({
      trees: { count: 0 },
    });
    expect((await host.run('exec', 'user', 'cat', '/other')).stdout).toBe('x');
    await host.run('rm', '-f', 'user');
    expect(JSON.parse((await host.run('gc', '--grace', '0s', '--json')).stdout)).toMatchObject({
      trees: { count: 1 },
    });
    expect(JSON.parse((await host.run('df', '--json')).stdout)).toMatchObject({ trees: { count: 1 } });
    expect(await host.run('run', '--rm', '--network', 'none', 'busybox:1', 'true')).toMatchObject({
      code: 0,
    });
  });

  it('are copied, with a note, where the kernel refuses an overlay', async () => {
    // A store on an overlay, whose upper directory is on one then.
    const base = join(host.folder, 'base');
    const script = `mkdir "$0" && mount -t tmpfs none "$0" && cd "$0" && mkdir l u w m &&
      mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && cp -r "$OCITOOL_STORE" m/store &&
      OCITOOL_STORE="$0/m/store" exec "$@"`;
    const args = ['run', '--rm', '--network', 'none', 'busybox:1', 'sh', '-c', 'echo x >/y; cat /y'];
    const ran = spawnSync('unshare', ['--mount', 'sh', '-c', script, base, process.execPath, CLI, ...args], {
      encoding: 'utf8',
      env: host.env,
    });
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([
      0,
      'x\n',
      expect.stringContaining('the kernel refuses an overlay'),
    ]);
  });
});

describe.runIf(able)('a machine without user namespaces', () => {
  it('tells a normal user how to have them', async () => {
    if (!canRunAs('user')) return;
    const host = await openHost('user');
    try {
      const bin = join(host.folder, 'unshare');
      writeFileSync(bin, '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n', {
        mode: 0o755,
      });
      host.prefix.push('env', `PATH=${host.folder}:${host.env.PATH}`);
      const { code, stderr } = await host.run('run', '--rm', 'busybox:1', 'true');
      expect([code, stderr]).toEqual([
        125,
        expect.stringMatching(/need a user namespace: .*not permitted\nhint: as root: sysctl/),
      ]);
    } finally {
      host.prefix.splice(-2);
      await host.close();
    }
  });
});
