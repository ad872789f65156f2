// What cannot be run for the sake of this machine, at the command line: one line, a hint, and nothing left behind.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ContainerHost, canRunAs, canRunContainers, openHost } from '../support/container-host.ts';
import { file } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

const able = canRunContainers();
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The header of a program for a machine nobody has: 0xfeed. */
function foreignProgram(): Buffer {
  const header = Buffer.alloc(512);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(0xfeed, 18);
  return header;
}

describe.each(['root', 'user'] as const)('as %s', (who) => {
  const can = able && canRunAs(who);
  let host: ContainerHost;
  beforeAll(async () => {
    if (can) host = await openHost(who);
  });
  afterAll(async () => {
    if (can) await host.close();
  });

  async function refused(args: string[], code: number, error: RegExp, hint: RegExp): Promise<void> {
    const before = host.traces();
    const ran = await host.run('run', '-q', '--rm', ...args);
    expect([ran.code, ran.stdout]).toEqual([code, '']);
    expect(ran.stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^error: /),
      expect.stringMatching(/^hint: /),
    ]);
    expect(ran.stderr).toMatch(error);
    expect(ran.stderr).toMatch(hint);
    await host.leavesNothing(before);
  }

  it.runIf(can)('a port that is taken names who has it', async () => {
    const first = ['-d', '--name', 'first', '-p', '8080:80', 'busybox:1', 'sleep', '1000'];
    expect(await host.run('run', ...first)).toMatchObject({ code: 0 });
    await refused(['-p', '8080:80', 'busybox:1', 'true'], 125, /8080/, /\S/);
  });

  it.runIf(can)('a program for another machine is told, and what could help', async () => {
    await host.addImage('foreign:1', { layers: [[file('bin/tool', foreignProgram(), { mode: 0o755 })]] });
    await refused(
      ['--network', 'none', 'foreign:1', '/bin/tool'],
      126,
      /is a program for/,
      /--platform.*qemu-user/,
    );
  });
});

it.runIf(able && hasTools('setpriv'))('a capability that this process lacks is not promised', async () => {
  const host = await openHost();
  try {
    host.prefix.push('setpriv', '--bounding-set', '-net_raw');
    const args = ['run', '-q', '--rm', '--network', 'none', '--cap-add', 'NET_RAW', 'busybox:1', 'true'];
    expect(await host.run(...args)).toMatchObject({
      code: 125,
      stdout: '',
      stderr: expect.stringMatching(/^error: .*NET_RAW.*\nhint: .*\n$/),
    });
  } finally {
    await host.close();
  }
});
