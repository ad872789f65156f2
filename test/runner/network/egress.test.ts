import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  canUseNetworks,
  type FakeContainer,
  type Machine,
  openMachine,
  reaches,
} from '../../support/netns.ts';

const OUTSIDE = '198.51.100.2';
const HOST = '198.51.100.1';

/** The machine has a neighbour, by whom it reaches everything else. */
describe.runIf(canUseNetworks())('the way out of a network', () => {
  let machine: Machine;
  let outside: FakeContainer;
  beforeEach(async () => {
    machine = await openMachine();
    outside = await machine.container('outside', []);
    must(
      machine,
      'ip',
      'link',
      'add',
      'wan',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      `${outside.pid}`,
    );
    must(machine, 'ip', 'addr', 'add', `${HOST}/24`, 'dev', 'wan');
    must(machine, 'ip', 'link', 'set', 'wan', 'up');
    must(outside, 'ip', 'addr', 'add', `${OUTSIDE}/24`, 'dev', 'eth0');
    must(outside, 'ip', 'link', 'set', 'eth0', 'up');
    must(machine, 'ip', 'route', 'add', 'default', 'via', OUTSIDE);
    must(machine, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  });
  afterEach(() => machine.close());

  async function start(name: string, ...networks: string[]): Promise<FakeContainer & { address: string }> {
    const container = await machine.container(name, networks);
    const { attachments, notes } = await machine.attach(container);
    expect(notes).toEqual([]);
    return { ...container, address: attachments[0]?.address.split('/')[0] ?? '' };
  }

  it('leads to what the host reaches, from the host’s address', async () => {
    const one = await start('one', 'bridge');
    // The outside knows nothing of 10.213.0.0/16: it can only answer the host.
    expect(reaches(one, OUTSIDE)).toBe(true);
    expect(reaches(await start('two', 'bridge'), OUTSIDE)).toBe(true);
  });

  it('is one way: the outside reaches no container, even with a route', async () => {
    const one = await start('one', 'bridge');
    must(outside, 'ip', 'route', 'add', '10.213.0.0/16', 'via', HOST);
    expect(reaches(outside, HOST)).toBe(true);
    expect(reaches(outside, one.address, 'soon')).toBe(false);
    must(machine, 'ip', 'route', 'add', `${one.address}/32`, 'via', wayOf(machine));
    expect(reaches(machine, one.address, 'soon')).toBe(false);
    expect(reaches(outside, one.address, 'soon')).toBe(false);
  });

  it('does not lead to the host itself, by any of its addresses', async () => {
    const one = await start('one', 'bridge');
    machine.start([
      process.execPath,
      '-e',
      "require('net').createServer((c) => c.end('hello')).listen(7000)",
    ]);
    const asked = (from: FakeContainer, address: string): string =>
      from.run(['busybox', 'nc', '-w', '2', address, '7000'], '').stdout;
    await until(() => asked(outside, HOST) === 'hello');
    expect(asked(one, HOST)).toBe('');
    expect(asked(one, wayOf(machine, 'host'))).toBe('');
    expect(reaches(one, HOST, 'soon')).toBe(false);
  });

  it('does not lead to another network', async () => {
    await machine.createNetwork({ name: 'other', internal: false });
    const [one, two] = [await start('one', 'bridge'), await start('two', 'other')];
    expect(reaches(one, OUTSIDE)).toBe(true);
    expect(reaches(two, OUTSIDE)).toBe(true);
    expect(reaches(one, two.address, 'soon')).toBe(false);
    expect(reaches(one, wayOf(machine, 'host', 1), 'soon')).toBe(false);
  });

  it('is absent from an internal network, and taken by a container on both', async () => {
    await machine.createNetwork({ name: 'back', internal: true });
    const both = await start('both', 'back', 'bridge');
    const inner = await start('inner', 'back');
    expect(reaches(both, OUTSIDE)).toBe(true);
    expect(reaches(inner, OUTSIDE, 'soon')).toBe(false);
    inner.run(['ip', 'route', 'add', 'default', 'via', both.address]);
    expect(reaches(inner, OUTSIDE, 'soon')).toBe(false);
  });

  it('brings the host’s resolvers along, but those on its loopback', async () => {
    const one = await start('one', 'bridge');
    const text = readFileSync(one.paths.resolv, 'utf8');
    expect(text).not.toMatch(/^nameserver\s+(127\.|::1)/m);
    const usable = /^nameserver\s+(?!127\.|::1)\S+/m.exec(readFileSync('/etc/resolv.conf', 'utf8'));
    if (usable !== null) expect(text).toContain(usable[0]);
  });

  it('goes with its last container, and after a kill with the network', async () => {
    const [one, two] = [await start('one', 'bridge'), await start('two', 'bridge')];
    expect(rules(machine)).toContain('masquerade');
    await machine.detach(one);
    await one.kill();
    expect(reaches(two, OUTSIDE)).toBe(true);
    await machine.detach(two);
    expect(rules(machine)).toBe('');
    await two.kill();

    const three = await start('three', 'bridge');
    expect(reaches(three, OUTSIDE)).toBe(true);
    await three.kill();
    await machine.removeNetwork('bridge');
    expect(rules(machine)).toBe('');
    await until(() => !machine.run(['ip', '-o', 'link']).stdout.includes('ocitl'));
  });

  it('is there again at once after everybody was killed', async () => {
    await (await start('one', 'bridge')).kill();
    expect(reaches(await start('two', 'bridge'), OUTSIDE)).toBe(true);
  });

  it('is not made where the host forwards nothing: that is told, and no setting of the host is changed', async () => {
    must(machine, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward');
    const container = await machine.container('one', ['bridge']);
    const { notes } = await machine.attach(container);
    expect(notes).toEqual([expect.stringContaining('ip_forward=1 allows it')]);
    expect(reaches(container, OUTSIDE, 'soon')).toBe(false);
    expect(machine.run(['cat', '/proc/sys/net/ipv4/ip_forward']).stdout).toBe('0\n');
    expect(rules(machine)).toBe('');
  });

  it('is missed with one note, not with one for each container, until there is one again', async () => {
    const forward = (value: 0 | 1) =>
      must(machine, 'sh', '-c', `echo ${value} > /proc/sys/net/ipv4/ip_forward`);
    const notesOf = async (name: string): Promise<number> => {
      const container = await machine.container(name, ['bridge']);
      const { notes } = await machine.attach(container);
      await machine.detach(container);
      await container.kill();
      return notes.length;
    };
    forward(0);
    expect([await notesOf('one'), await notesOf('two')]).toEqual([1, 0]);
    forward(1);
    expect(await notesOf('three')).toBe(0);
    forward(0);
    expect(await notesOf('four')).toBe(1);
  });
});

function must(where: { run: FakeContainer['run'] }, ...command: string[]): void {
  const { status, stderr } = where.run(command);
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
}

function rules(machine: Machine): string {
  return machine.run(['nft', 'list', 'ruleset']).stdout;
}

/** An end of the pair by which a network leads out: the host's address, or the switch's. */
function wayOf(machine: Machine, end: 'host' | 'switch' = 'switch', which = 0): string {
  const found = [...machine.run(['ip', '-o', 'addr']).stdout.matchAll(/inet (\d+\.\d+\.\d+\.)(\d+)\/31/g)][
    which
  ];
  if (found === undefined) throw new Error('no way out');
  return `${found[1]}${Number(found[2]) - (end === 'host' ? 0 : 1)}`;
}

/** Waits for what others bring about, 10 s at most. */
async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
