// The way out of a network on a host that forwards packets: there with the first container, gone with the last. It is
// the monitor's to take away, from within the container's namespace.
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ContainerHost, canRunContainers, openHost } from '../support/container-host.ts';

/** A device that is the way to everything, in the machine's own namespace. */
const FORWARDS = `ip link add outside type bridge && ip addr add 10.99.0.2/24 dev outside && ip link set outside up &&
  ip route add default via 10.99.0.1 && echo 1 > /proc/sys/net/ipv4/ip_forward`;

describe.runIf(canRunContainers())('the way out of a network', () => {
  let host: ContainerHost;
  beforeEach(async () => {
    host = await openHost();
    onHost('sh', '-c', FORWARDS);
  });
  afterEach(() => host.close());

  function onHost(...command: string[]): string {
    const [program = '', ...args] = [...host.prefix, ...command];
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
    return stdout;
  }

  it('is there for a container and goes with it', async () => {
    const ran = await host.run('run', '--rm', 'busybox:1', 'ip', 'route');
    expect(ran.code).toBe(0);
    expect(ran.stderr).not.toContain('way out');
    expect(ran.stdout).toMatch(/^default via 10\.213\.0\.1 dev eth0/m);
    expect(onHost('nft', 'list', 'tables')).toBe('');
  });

  it('stays until the last container leaves, whoever was the first', async () => {
    const first = await host.run('run', '-d', '--name', 'first', 'busybox:1', 'sleep', '1000');
    const second = await host.run('run', '-d', '--name', 'second', 'busybox:1', 'sleep', '1000');
    expect([first.code, second.code]).toEqual([0, 0]);
    await host.run('rm', '-f', 'first');
    expect(onHost('nft', 'list', 'tables')).toMatch(/^table inet ocitool_ocitl\w+\n$/);
    await host.run('rm', '-f', 'second');
    expect(onHost('nft', 'list', 'tables')).toBe('');
  });
});
