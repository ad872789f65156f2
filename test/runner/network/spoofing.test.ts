import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  canUseNetworks,
  type FakeContainer,
  type Machine,
  openMachine,
  reaches,
} from '../../support/netns.ts';

/** Writes what it hears on UDP port 7000 to a file. */
const LISTEN = `const socket = require('dgram').createSocket('udp4');
socket.on('message', (text) => require('fs').appendFileSync(process.argv[1], text)).bind(7000)`;

/** Sends a word there from an address. */
const SAY = `const [, source, target, word] = process.argv;
const socket = require('dgram').createSocket('udp4');
socket.bind(0, source, () => socket.send(word, 7000, target, () => socket.close()))`;

const HEARD = { timeout: 30_000, interval: 100 };

/** Three on one network, one of them with all rights over its own namespace, as with --cap-add NET_ADMIN. */
describe.runIf(canUseNetworks())('a container that pretends to be another', () => {
  let machine: Machine;
  let attacker: FakeContainer;
  let victim: FakeContainer;
  let server: FakeContainer;
  const address = new Map<FakeContainer, string>();
  const of = (container: FakeContainer): string => address.get(container) ?? '';

  beforeEach(async () => {
    machine = await openMachine();
    [attacker, victim, server] = await Promise.all([
      machine.container('attacker', ['net']),
      machine.container('victim', ['net']),
      machine.container('server', ['net']),
    ]);
    await machine.createNetwork({ name: 'net', internal: true });
    for (const container of [attacker, victim, server]) {
      const { attachments } = await machine.attach(container);
      address.set(container, attachments[0]?.address.split('/')[0] ?? '');
    }
  });
  afterEach(() => machine.close());

  it('gets no datagram through from an address that is not its own', async () => {
    const heard = join(machine.folder, 'heard');
    server.start([process.execPath, '-e', LISTEN, heard]);
    attacker.run(['ip', 'addr', 'add', `${of(victim)}/32`, 'dev', 'eth0']);
    const say = (source: string, word: string) =>
      attacker.run([process.execPath, '-e', SAY, source, of(server), word]);
    const text = (): string => (existsSync(heard) ? readFileSync(heard, 'utf8') : '');
    // Said again until it is heard: the listener may not be there yet. What is honest comes first, since the question
    // where the server is carries the address of the datagram that waits for it, and a forged one is never answered.
    const saidAndHeard = (word: string) =>
      vi.waitUntil(() => say(of(attacker), word).status === 0 && text().includes(word), HEARD);
    await saidAndHeard('before');
    for (let at = 0; at < 5; at++) expect(say(of(victim), 'forged').status).toBe(0);
    await saidAndHeard('after');
    expect(text()).not.toContain('forged');
  }, 90_000);

  it('changes nobody’s mind about where the victim is', async () => {
    expect(reaches(server, of(victim))).toBe(true);
    const neighbour = (): string => server.run(['ip', 'neigh', 'show', of(victim)]).stdout;
    const before = /lladdr (\S+)/.exec(neighbour())?.[1];
    attacker.run(['ip', 'addr', 'add', `${of(victim)}/32`, 'dev', 'eth0']);
    attacker.run(['busybox', 'arping', '-U', '-c', '2', '-I', 'eth0', '-s', of(victim), of(server)]);
    attacker.run(['busybox', 'arping', '-A', '-c', '2', '-I', 'eth0', '-s', of(victim), of(server)]);
    expect(/lladdr (\S+)/.exec(neighbour())?.[1]).toBe(before);
    server.run(['ip', 'neigh', 'flush', 'all']);
    expect(reaches(server, of(victim))).toBe(true);
    expect(/lladdr (\S+)/.exec(neighbour())?.[1]).toBe(before);
  });

  it('is cut off when it takes another hardware address', async () => {
    expect(reaches(attacker, of(server))).toBe(true);
    attacker.run(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:01']);
    expect(reaches(attacker, of(server), 'soon')).toBe(false);
    expect(reaches(victim, of(server))).toBe(true);
  });

  it('is heard in no protocol but IPv4', async () => {
    for (const [container, own] of [
      [attacker, 'fd00::1'],
      [server, 'fd00::2'],
    ] as const) {
      container.run(['ip', 'addr', 'add', `${own}/64`, 'dev', 'eth0', 'nodad']);
      // A new address answers when the kernel has come to it.
      const ping = ['busybox', 'ping', '-6', '-c', '1', '-W', '1', own];
      await expect.poll(() => container.run(ping).status).toBe(0);
    }
    expect(attacker.run(['busybox', 'ping', '-6', '-c', '1', '-W', '1', 'fd00::2']).status).not.toBe(0);
  });
});
