// Images that attack the runner: whatever is a link, a device or a trick in them, the host stays as it was.
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tool } from '../../support/tools.ts';
import {
  canLaunch,
  type Launcher,
  makeRootfs,
  type RunOptions,
  startLauncher,
  stdoutOf,
} from './launcher.ts';

describe.runIf(canLaunch())('an image that attacks the built-in driver', () => {
  let launcher: Launcher;
  /** A directory of the host that nothing may touch, and the image. */
  let canary: string;
  let rootfs: string;
  beforeAll(async () => {
    launcher = await startLauncher();
    canary = join(launcher.folder, 'canary');
    rootfs = join(launcher.folder, 'hostile');
  });
  afterAll(() => launcher.close());
  beforeEach(() => {
    for (const folder of [canary, rootfs]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(canary);
    writeFileSync(join(canary, 'file'), 'of the host');
    makeRootfs(rootfs);
  });

  const run = (command: string[], options: RunOptions = {}) =>
    launcher.run(command, { ...options, input: { rootfs, ...options.input } });
  const expectCanaryAlive = (): void => {
    expect(readdirSync(canary)).toEqual(['file']);
    expect(readFileSync(join(canary, 'file'), 'utf8')).toBe('of the host');
  };
  const escapes = (): string[] => [canary, `../../../../../../../../..${canary}`];

  it.each(['dev', 'proc', 'sys'])(
    'with a link at /%s is refused, and the link not followed',
    async (name) => {
      for (const target of escapes()) {
        rmSync(join(rootfs, name), { force: true });
        symlinkSync(target, join(rootfs, name));
        const outcome = await run(['true']);
        expect(outcome).toMatchObject({
          code: 'RUNTIME_FAILED',
          hint: expect.stringContaining('symbolic link'),
        });
        expect(outcome).toMatchObject({ message: expect.stringContaining(`/${name}`) });
        expectCanaryAlive();
      }
    },
  );

  it('with a file at /dev is refused', async () => {
    writeFileSync(join(rootfs, 'dev'), '');
    expect(await run(['true'])).toMatchObject({ code: 'RUNTIME_FAILED' });
  });

  it('with /etc or /etc/hosts a link has the file mounted inside itself', async () => {
    const hosts = join(launcher.folder, 'hosts');
    writeFileSync(hosts, '127.0.0.1 localhost\n');
    for (const target of escapes()) {
      rmSync(join(rootfs, 'etc'), { recursive: true, force: true });
      symlinkSync(target, join(rootfs, 'etc'));
      expect(stdoutOf(await run(['cat', '/etc/hosts'], { input: { files: { hosts } } }))).toContain(
        'localhost',
      );
      rmSync(join(rootfs, 'etc'));
      mkdirSync(join(rootfs, 'etc'));
      symlinkSync(`${target}/file`, join(rootfs, 'etc/hosts'));
      expect(stdoutOf(await run(['cat', '/etc/hosts'], { input: { files: { hosts } } }))).toContain(
        'localhost',
      );
      expectCanaryAlive();
    }
  });

  it('with a link to nowhere at /etc/resolv.conf, as many have, gets the file where it leads', async () => {
    const resolv = join(launcher.folder, 'resolv');
    writeFileSync(resolv, 'nameserver 127.0.0.1\n');
    mkdirSync(join(rootfs, 'etc'));
    symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(rootfs, 'etc/resolv.conf'));
    const outcome = await run(['cat', '/etc/resolv.conf'], { input: { files: { resolv } } });
    expect(stdoutOf(outcome)).toContain('nameserver');
    rmSync(join(rootfs, 'etc/resolv.conf'));
    symlinkSync('resolv.conf', join(rootfs, 'etc/resolv.conf'));
    expect(await run(['true'], { input: { files: { resolv } } })).toMatchObject({ code: 'RUNTIME_FAILED' });
  });

  it('with links where volumes go has them inside itself', async () => {
    const data = join(launcher.folder, 'data');
    mkdirSync(data, { recursive: true });
    for (const target of escapes()) {
      rmSync(join(rootfs, 'volume'), { force: true });
      symlinkSync(target, join(rootfs, 'volume'));
      const request = {
        mounts: [{ kind: 'bind' as const, source: data, target: '/volume/x', readonly: false }],
      };
      stdoutOf(await run(['sh', '-c', 'echo inside > /volume/x/written'], { request }));
      expect(readFileSync(join(data, 'written'), 'utf8')).toBe('inside\n');
      expectCanaryAlive();
    }
  });

  it('with a working directory that is a descriptor of ours does not get there (CVE-2024-21626)', async () => {
    const doors = [3, 4, 7, 19].map((fd) => `/proc/self/fd/${fd}`);
    for (const door of [...doors, '/proc/self/cwd', '/proc/1/root']) {
      expect(await run(['true'], { request: { workdir: door } })).toMatchObject({ code: 'RUNTIME_FAILED' });
    }
    symlinkSync('/proc/self/fd/7', join(rootfs, 'door'));
    expect(await run(['true'], { request: { workdir: '/door' } })).toMatchObject({ code: 'RUNTIME_FAILED' });
  });

  it('with our own program as its command does not run it', async () => {
    for (const command of ['/proc/self/exe', '/proc/1/exe', '/proc/self/root/bin/true']) {
      expect(await run([command])).toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE' });
    }
  });

  it('with our own program as interpreter cannot write to it (CVE-2019-5736)', async () => {
    const script = `#!/proc/self/exe
      const { openSync } = require('node:fs');
      try { openSync('/proc/self/exe', 'w'); } catch (error) { console.log(error.code); }`;
    writeFileSync(join(rootfs, 'attack'), script, { mode: 0o755 });
    const mounts = ['/lib', '/lib64', '/usr/lib'].map((path) => ({
      kind: 'bind' as const,
      source: path,
      target: path,
      readonly: true,
    }));
    // ETXTBSY would mean: as soon as nobody runs it, it may be written to.
    expect(stdoutOf(await run(['/attack'], { request: { mounts } })).trim()).toBe('EROFS');
  });

  it('with devices in it cannot open them', async () => {
    await tool('mknod', join(rootfs, 'memory'), 'c', '1', '3');
    const outcome = await run(['sh', '-c', 'cat /memory; cat /dev/null && echo fine']);
    expect(outcome).toMatchObject({ stdout: 'fine\n', stderr: expect.stringContaining('ermission denied') });
  });

  it('with everything of /dev taken already gets a fresh one', async () => {
    mkdirSync(join(rootfs, 'dev'));
    writeFileSync(join(rootfs, 'dev/null'), 'not null');
    symlinkSync(join(canary, 'file'), join(rootfs, 'dev/zero'));
    stdoutOf(await run(['sh', '-c', 'echo x > /dev/null; [ ! -s /dev/null ]']));
    expect(readFileSync(join(rootfs, 'dev/null'), 'utf8')).toBe('not null');
    expectCanaryAlive();
  });

  it('finds nothing of the host above its root', async () => {
    const names = stdoutOf(await run(['sh', '-c', 'ls /../../..; cd /proc; ls ../..']));
    expect(names).not.toContain('canary');
    expect(names).not.toMatch(/^(home|root|usr|work)$/m);
  });
});
