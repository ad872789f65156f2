// A further process in a running container: in the same namespaces, with the same rights, and ended exactly.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canLaunch, type Launcher, type RunOptions, startLauncher, stdoutOf } from './launcher.ts';

const KINDS = ['pid', 'mnt', 'ipc', 'uts', 'cgroup', 'net'];
const LIST = `for n in ${KINDS.join(' ')}; do ls -l /proc/self/ns/$n; done`;

describe.runIf(canLaunch())('exec of the built-in driver', () => {
  let launcher: Launcher;
  /** As `ocitool exec` does, from outside of the container's outer namespaces. */
  let outside: Launcher;
  let container: number;
  let end: Promise<unknown>;
  beforeAll(async () => {
    [launcher, outside] = await Promise.all([startLauncher(), startLauncher({ wrapper: [] })]);
    const running = launcher.start(['sh', '-c', `${LIST}; exec sleep 600`], {
      request: { hostname: 'first', mounts: [{ kind: 'tmpfs', target: '/scratch', options: [] }] },
    });
    end = running.outcome;
    container = await running.started;
  });
  afterAll(async () => {
    await outside.close();
    await launcher.close();
  });

  const exec = (command: string[], options: RunOptions = {}) =>
    outside.run(command, { container, ...options });

  it('is in every namespace of the container and in its root', async () => {
    const links = (text: string) => [...text.matchAll(/-> (\S+)/g)].map(([, link]) => link);
    const theirs = links(stdoutOf(await exec(['sh', '-c', LIST])));
    const own = spawnSync('sh', ['-c', LIST], { encoding: 'utf8' }).stdout;
    expect(theirs).toHaveLength(KINDS.length);
    expect(links(own).filter((link) => theirs.includes(link))).toEqual([]);
    const ids = KINDS.map((kind) =>
      spawnSync('readlink', [`/proc/${container}/ns/${kind}`], { encoding: 'utf8' }).stdout.trim(),
    );
    expect(theirs).toEqual(ids);
    const found = stdoutOf(
      await exec(['sh', '-c', 'cat /proc/sys/kernel/hostname; cat /proc/1/comm; mount']),
    );
    expect(found).toMatch(/^first\nsleep\n/);
    expect(found).toContain('on /scratch type tmpfs');
  });

  it('gives up what the first process gave up', async () => {
    const status = stdoutOf(await exec(['cat', '/proc/self/status'], { user: { uid: 1234, gid: 1234 } }));
    for (const line of [
      'Uid:\t1234\t1234\t1234\t1234',
      'CapEff:\t0000000000000000',
      'CapBnd:\t00000000800405fb',
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
      'SigIgn:\t0000000000000000',
    ]) {
      expect(status).toContain(line);
    }
    expect(stdoutOf(await exec(['ls', '/proc/self/fd']))).toBe('0\n1\n2\n3\n');
  });

  it('ends with the exact code and signal, also of the signals that Node has no name for', async () => {
    expect(await exec(['sh', '-c', 'exit 77'])).toMatchObject({ exit: { code: 77 } });
    expect(await exec(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ exit: { signal: 'SIGTERM' } });
    expect(await exec(['sh', '-c', 'kill -PIPE $$'])).toMatchObject({ exit: { signal: 'SIGPIPE' } });
    expect(await exec(['sh', '-c', 'kill -40 $$'])).toMatchObject({ exit: { code: 168 } });
  });

  it('tells a command that is missing, and a working directory', async () => {
    expect(await exec(['nosuch'])).toMatchObject({ code: 'COMMAND_NOT_FOUND' });
    const nowhere = { request: { workdir: '/no/such/folder' } };
    expect(await exec(['true'], nowhere)).toMatchObject({ code: 'RUNTIME_FAILED' });
    // An exec makes no directories.
    expect(stdoutOf(await exec(['ls', '/']))).not.toMatch(/^no$/m);
  });

  it('is told when there is no such container', async () => {
    const gone = spawnSync('true').pid;
    expect(await outside.run(['true'], { container: gone })).toMatchObject({ code: 'RUNTIME_FAILED' });
  });

  it('has a terminal of the container', async () => {
    const outcome = await exec(['sh', '-c', 'tty; test -t 0 && test -t 1 && test -t 2 && echo terminal'], {
      request: { terminal: true },
    });
    expect(stdoutOf(outcome)).toBe('/dev/pts/0\r\nterminal\r\n');
  });

  it('cannot be looked into by the container while it is still ours', async () => {
    // A process of the container that tries every other one, again and again, to read its descriptors.
    const spy =
      'i=0; while [ $i -lt 300 ]; do ls -l /proc/[2-9]*/fd /proc/[2-9]*/root; i=$((i+1)); done 2>/dev/null';
    const watching = launcher.start(['sh', '-c', spy], { container });
    await watching.started;
    for (let i = 0; i < 3; i++) await exec(['true']);
    const seen = await watching.outcome;
    expect(JSON.stringify(seen)).not.toMatch(/ocitool-plan|memfd|container-init/);
  });

  it('ends with its container', async () => {
    const { started, outcome } = outside.start(['sleep', '600'], { container });
    await started;
    process.kill(container, 'SIGKILL');
    expect(await end).toMatchObject({ exit: { signal: 'SIGKILL' } });
    expect(await outcome).toMatchObject({ exit: { signal: 'SIGKILL' } });
  });
});
