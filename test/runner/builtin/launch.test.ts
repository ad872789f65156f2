// Containers of the built-in driver, for real: what the program finds is what the spec says, to the byte.
import { globSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuntimeSpec } from '../../../src/runner/spec/runtime-spec.ts';
import { canLaunch, type Launcher, type RunOptions, startLauncher, stdoutOf } from './launcher.ts';

describe.runIf(canLaunch())('a container of the built-in driver', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await startLauncher();
  });
  afterAll(() => launcher.close());

  const status = async (options: RunOptions = {}): Promise<Map<string, string>> => {
    const text = stdoutOf(await launcher.run(['cat', '/proc/self/status'], options));
    return new Map(text.split('\n').map((line) => line.split(':\t', 2) as [string, string]));
  };

  it('is pid 1, and ends with the exact code of its program', async () => {
    for (const code of [0, 1, 42, 255]) {
      const outcome = await launcher.run(['sh', '-c', `[ $$ = 1 ] && exit ${code}`]);
      expect(outcome).toMatchObject({ exit: { code } });
    }
  });

  it('ends with the exact signal that killed it', async () => {
    const { started, outcome } = launcher.start(['sleep', '600']);
    process.kill(await started, 'SIGKILL');
    expect(await outcome).toMatchObject({ exit: { signal: 'SIGKILL' } });
    // The kernel's own hand reaches pid 1 as well: a filter that kills.
    const change = ({ linux }: RuntimeSpec): void => {
      linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [],
        syscalls: [{ names: ['getdents64'], action: 'SCMP_ACT_KILL_PROCESS' }],
      };
    };
    expect(await launcher.run(['ls', '/'], { change })).toMatchObject({ exit: { signal: 'SIGSYS' } });
  });

  it('gets its arguments and environment byte for byte', async () => {
    const odd = [
      '',
      ' ',
      'a b',
      'new\nline',
      '"\'\\$`',
      'ü😀',
      '\u0001\u007f',
      '-n',
      '*',
      'x'.repeat(100_000),
    ];
    // The true at the end keeps the shell from becoming cat.
    const shell = ['sh', '-c', 'cat /proc/$$/cmdline; true', ...odd];
    expect(stdoutOf(await launcher.run(shell))).toBe([...shell, ''].join('\0'));
    const env = ['A=1=2', 'B=', 'C=ü\n"', 'A=again', 'NODE_OPTIONS=--bad', 'novalue', '=x'];
    const change = (spec: RuntimeSpec): void => {
      spec.process.env = ['PATH=/bin', ...env];
    };
    const environment = stdoutOf(await launcher.run(['cat', '/proc/self/environ'], { change }));
    expect(environment).toBe(['PATH=/bin', ...env, ''].join('\0'));
  });

  it('has no descriptors but three', async () => {
    // The fourth is the directory that ls reads.
    const names = stdoutOf(await launcher.run(['ls', '/proc/self/fd'])).split('\n');
    expect(names).toEqual(['0', '1', '2', '3', '']);
  });

  it('starts with no signal blocked or ignored, although Node ignores SIGPIPE', async () => {
    const found = await status();
    for (const name of ['SigBlk', 'SigIgn', 'SigCgt']) expect(found.get(name)).toBe('0'.repeat(16));
  });

  it('as root has the capabilities of the spec and no way to more', async () => {
    const found = await status();
    const own = '00000000800405fb';
    expect(found.get('CapBnd')).toBe(own);
    expect(found.get('CapPrm')).toBe(own);
    expect(found.get('CapEff')).toBe(own);
    expect(found.get('CapInh')).toBe('0'.repeat(16));
    expect(found.get('CapAmb')).toBe('0'.repeat(16));
    expect(found.get('NoNewPrivs')).toBe('1');
    expect(found.get('Seccomp')).toBe('2');
    expect(found.get('Seccomp_filters')).toBe('1');
  });

  it('as another user has that user’s ids and groups, and no capability', async () => {
    const found = await status({ user: { uid: 1234, gid: 2345, additionalGids: [3456, 4567] } });
    expect(found.get('Uid')?.split('\t')).toEqual(['1234', '1234', '1234', '1234']);
    expect(found.get('Gid')?.split('\t')).toEqual(['2345', '2345', '2345', '2345']);
    expect(found.get('Groups')?.trim()).toBe('2345 3456 4567');
    for (const name of ['CapPrm', 'CapEff', 'CapAmb']) expect(found.get(name)).toBe('0'.repeat(16));
    expect(found.get('CapBnd')).toBe('00000000800405fb');
  });

  it('keeps capabilities as another user where the spec says so', async () => {
    const found = await status({
      user: { uid: 1234 },
      change: ({ process }: RuntimeSpec) => {
        const bind = ['CAP_NET_BIND_SERVICE'];
        process.capabilities = {
          bounding: bind,
          permitted: bind,
          effective: bind,
          inheritable: bind,
          ambient: bind,
        };
      },
    });
    for (const name of ['CapPrm', 'CapEff', 'CapAmb', 'CapInh', 'CapBnd']) {
      expect(found.get(name)).toBe('0000000000000400');
    }
  });

  it('loads its filter also where privileges may be gained', async () => {
    const found = await status({ request: { securityOpt: ['no-new-privileges=false'] } });
    expect(found.get('NoNewPrivs')).toBe('0');
    expect(found.get('Seccomp')).toBe('2');
    const without = await status({ request: { securityOpt: ['seccomp=unconfined'] } });
    expect(without.get('Seccomp')).toBe('0');
  });

  it('lets the user of the container open what is its stdin by name, when it is a pipe', async () => {
    const outcome = await launcher.run(['sh', '-c', 'exec 3</dev/stdin && echo opened'], {
      user: { uid: 1234 },
      stdin: false,
    });
    expect(stdoutOf(outcome)).toBe('opened\n');
  });

  it('leaves the owner of a file that is its stdout alone', async () => {
    await launcher.run(['true'], { user: { uid: 1234 } });
    const files = globSync('*/out', { cwd: launcher.folder });
    expect(files.map((file) => statSync(join(launcher.folder, file)).uid)).toEqual(files.map(() => 0));
  });

  it('sees the mounts of the spec and none of the host', async () => {
    const lines = stdoutOf(await launcher.run(['cat', '/proc/self/mountinfo']))
      .trim()
      .split('\n');
    const mounts = new Map(
      lines.map((line) => {
        const [left = '', right = ''] = line.split(' - ');
        const fields = left.split(' ');
        return [
          fields[4],
          { options: fields[5]?.split(','), type: right.split(' ')[0], shared: fields.slice(6) },
        ];
      }),
    );
    expect([...mounts.keys()]).toEqual(
      expect.arrayContaining(['/', '/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys']),
    );
    for (const [target, { shared }] of mounts) {
      expect(target).toMatch(/^\/(?:$|proc|sys|dev)/);
      expect(shared).toEqual([]);
    }
    expect(mounts.get('/')?.options).toContain('nodev');
    expect(mounts.get('/proc')).toMatchObject({ type: 'proc' });
    expect(mounts.get('/proc')?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']));
    expect(mounts.get('/sys')?.options).toContain('ro');
    expect(mounts.get('/proc/sys')?.options).toContain('ro');
    expect(mounts.get('/sys/firmware')?.options).toContain('ro');
  });

  it('has namespaces of its own', async () => {
    const kinds = ['pid', 'mnt', 'ipc', 'uts', 'cgroup', 'net'];
    const list = `for n in ${kinds.join(' ')}; do ls -l /proc/self/ns/$n; done`;
    const links = (text: string) => [...text.matchAll(/-> (\S+)/g)].map(([, link]) => link);
    const inside = links(stdoutOf(await launcher.run(['sh', '-c', list])));
    expect(inside).toHaveLength(6);
    const outside = kinds.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    expect(inside.filter((link) => outside.includes(link ?? ''))).toEqual([]);
  });

  it('has its hostname, umask, limits and working directory, which is made', async () => {
    const script = 'hostname=$(cat /proc/sys/kernel/hostname); echo $hostname $(umask) $(ulimit -n) $(pwd)';
    const outcome = await launcher.run(['sh', '-c', script], {
      request: {
        hostname: 'box',
        workdir: '/made/here',
        ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
      },
    });
    expect(stdoutOf(outcome).trim()).toBe('box 0022 100 /made/here');
  });

  it('lowers a limit that it may not raise', async () => {
    const change = (spec: RuntimeSpec): void => {
      spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 2 ** 52 }];
    };
    const outcome = await launcher.run(['sh', '-c', 'ulimit -n'], { change });
    expect(stdoutOf(outcome).trim()).toBe('64');
  });

  it('writes settings of its own network, and no others', async () => {
    const outcome = await launcher.run(['cat', '/proc/sys/net/ipv4/ip_default_ttl'], {
      input: { network: 'new' },
      change: ({ linux }) => {
        linux.sysctl = { 'net.ipv4.ip_default_ttl': '77' };
      },
    });
    expect(stdoutOf(outcome).trim()).toBe('77');
    const bad = await launcher.run(['true'], {
      change: ({ linux }) => {
        linux.sysctl = { 'net.ipv4.no_such_thing': '1' };
      },
    });
    expect(bad).toMatchObject({ code: 'RUNTIME_FAILED', message: expect.stringContaining('no_such_thing') });
  });

  it('brings its own loopback up', async () => {
    const outcome = await launcher.run(['cat', '/sys/class/net/lo/flags'], { input: { network: 'new' } });
    expect(Number(stdoutOf(outcome)) & 1).toBe(1);
  });

  it('has a read-only root where asked, and writes to what is mounted', async () => {
    const script = 'echo x > /file; echo x > /scratch/file && cat /scratch/file';
    const outcome = await launcher.run(['sh', '-c', script], {
      request: { readonly: true, mounts: [{ kind: 'tmpfs', target: '/scratch', options: [] }] },
    });
    expect(outcome).toMatchObject({ stdout: 'x\n', stderr: expect.stringContaining('Read-only') });
  });

  it('mounts directories and files of the host where they should be', async () => {
    const data = join(launcher.folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'content\n');
    const script = 'cat /a/b/c/file /one; echo new > /a/b/c/new; echo changed > /one';
    const outcome = await launcher.run(['sh', '-c', script], {
      request: {
        mounts: [
          { kind: 'bind', source: data, target: '/a/b/c', readonly: false },
          { kind: 'bind', source: join(data, 'file'), target: '/one', readonly: true },
        ],
      },
    });
    expect(outcome).toMatchObject({
      stdout: 'content\ncontent\n',
      stderr: expect.stringContaining('Read-only'),
      exit: { code: 1 },
    });
    expect(readFileSync(join(data, 'new'), 'utf8')).toBe('new\n');
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('content\n');
    expect(statSync(join(launcher.rootfs, 'a/b/c')).mode & 0o777).toBe(0o755);
  });

  it('names a source that is not there', async () => {
    const outcome = await launcher.run(['true'], {
      request: { mounts: [{ kind: 'bind', source: '/no/such/place', target: '/x', readonly: true }] },
    });
    expect(outcome).toMatchObject({
      code: 'RUNTIME_FAILED',
      message: expect.stringContaining('/no/such/place'),
    });
  });

  it('answers 127 and 126 for a command that is missing or cannot be run, before anything runs', async () => {
    const { rootfs } = launcher;
    writeFileSync(join(rootfs, 'bin/plain'), 'echo hello\n');
    writeFileSync(join(rootfs, 'bin/junk'), 'not a program', { mode: 0o755 });
    writeFileSync(join(rootfs, 'bin/orphan'), '#!/no/interpreter\n', { mode: 0o755 });
    const missing = { code: 'COMMAND_NOT_FOUND' };
    const refused = { code: 'COMMAND_NOT_EXECUTABLE' };
    expect(await launcher.run(['nosuch'])).toMatchObject(missing);
    expect(await launcher.run(['/no/such'])).toMatchObject(missing);
    expect(await launcher.run(['/bin/true/x'])).toMatchObject(missing);
    expect(await launcher.run([''])).toMatchObject(missing);
    expect(await launcher.run(['/bin'])).toMatchObject(refused);
    expect(await launcher.run(['plain'])).toMatchObject(refused);
    expect(await launcher.run(['junk'])).toMatchObject({
      ...refused,
      hint: expect.stringContaining('#!/bin/sh'),
    });
    expect(await launcher.run(['orphan'])).toMatchObject({
      ...refused,
      message: expect.stringContaining('interpreter'),
    });
  });

  it('finds a command further along its PATH than one it may not run', async () => {
    mkdirSync(join(launcher.rootfs, 'first'), { recursive: true });
    writeFileSync(join(launcher.rootfs, 'first/true'), 'x');
    const change = (spec: RuntimeSpec): void => {
      spec.process.env = ['PATH=/none:/first:/bin'];
    };
    expect(await launcher.run(['true'], { change })).toMatchObject({ exit: { code: 0 } });
  });
});
