import { readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  canUseNetworks,
  type FakeContainer,
  type Machine,
  openMachine,
  reaches,
} from '../../support/netns.ts';

describe.runIf(canUseNetworks())('networks', () => {
  let machine: Machine;
  beforeEach(async () => {
    machine = await openMachine();
  });
  afterEach(() => machine.close());

  async function start(name: string, ...networks: string[]): Promise<FakeContainer & { address: string }> {
    const container = await machine.container(name, networks);
    const { attachments } = await machine.attach(container);
    return { ...container, address: attachments[0]?.address.split('/')[0] ?? '' };
  }

  it('connects containers of one network by address', async () => {
    const [one, two] = [await start('one', 'bridge'), await start('two', 'bridge')];
    expect(reaches(one, two.address)).toBe(true);
    expect(reaches(two, one.address)).toBe(true);
  });

  it('names everybody on the network in each /etc/hosts, by name and short id, until they leave', async () => {
    const api = await start('api', 'bridge');
    const inode = statSync(api.paths.hosts).ino;
    const ui = await start('ui', 'bridge');
    expect(api.hosts()).toContain(`${ui.address}\tui ${ui.id.slice(0, 12)}\n`);
    expect(ui.hosts()).toContain(`${api.address}\tapi ${api.id.slice(0, 12)}\n`);
    expect(ui.hosts()).toContain(`${ui.address}\t${ui.id.slice(0, 12)} ui\n`);
    await machine.detach(ui);
    expect(api.hosts()).not.toContain('ui');
    // It is mounted into the container: another file would not be seen.
    expect(statSync(api.paths.hosts).ino).toBe(inode);
  });

  it('lets a program in a container find another by name', async () => {
    const [api, ui] = [await start('api', 'bridge'), await start('ui', 'bridge')];
    ui.run(['mount', '--bind', ui.paths.hosts, '/etc/hosts']);
    expect(ui.run(['getent', 'hosts', 'api']).stdout).toContain(api.address);
  });

  it('keeps networks apart, though a container is on both', async () => {
    await machine.createNetwork({ name: 'front', internal: false });
    await machine.createNetwork({ name: 'back', internal: true });
    const ui = await start('ui', 'front', 'back');
    const api = await start('api', 'back');
    const other = await start('other', 'front');
    expect(reaches(ui, api.address)).toBe(true);
    expect(reaches(ui, other.address)).toBe(true);
    expect(reaches(other, api.address, 'soon')).toBe(false);
    // Not through the one on both either, nor as the neighbour it is not.
    other.run(['ip', 'route', 'add', `${api.address}/32`, 'via', ui.address]);
    expect(reaches(other, api.address, 'soon')).toBe(false);
    other.run(['ip', 'route', 'replace', `${api.address}/32`, 'dev', 'eth0']);
    expect(reaches(other, api.address, 'soon')).toBe(false);
    expect(other.hosts()).not.toContain('api');
    expect(ui.hosts()).toContain('api');
  });

  it('shows the host nothing of a network without a way out, and nothing of the host to it', async () => {
    await machine.createNetwork({ name: 'back', internal: true });
    const api = await start('api', 'back');
    machine.run(['ip', 'route', 'add', `${api.address}/32`, 'dev', 'lo']);
    expect(reaches(machine, api.address, 'soon')).toBe(false);
    expect(machine.run(['ip', '-o', 'link']).stdout.trim().split('\n')).toHaveLength(1);
    expect(machine.run(['nft', 'list', 'ruleset']).stdout).toBe('');
    expect(api.run(['ip', 'route', 'show', 'default']).stdout).toBe('');
    expect(readFileSync(api.paths.resolv, 'utf8')).toBe('');
  });

  it('leaves nothing when containers are killed, and frees their addresses', async () => {
    const one = await start('one', 'bridge');
    const two = await start('two', 'bridge');
    await one.kill();
    expect((await machine.listNetworks())[0]?.containers.map(({ name }) => name)).toEqual(['two']);
    expect(reaches(two, two.address)).toBe(true);
    const three = await start('three', 'bridge');
    expect(two.hosts()).not.toContain('one');
    expect(reaches(three, two.address)).toBe(true);
    await two.kill();
    await three.kill();
    expect(machine.run(['ip', '-o', 'link']).stdout.trim().split('\n')).toHaveLength(1);
    await machine.removeNetwork('bridge');
    expect(await machine.listNetworks()).toEqual([]);
  });

  it('refuses to remove a network that is used, and names who uses it', async () => {
    await machine.createNetwork({ name: 'back', internal: true });
    const api = await start('api', 'back');
    await expect(machine.removeNetwork('back')).rejects.toMatchObject({
      code: 'NAME_TAKEN',
      message: expect.stringContaining('used by api'),
    });
    await machine.detach(api);
    await machine.removeNetwork('back');
    await expect(machine.removeNetwork('back')).rejects.toMatchObject({ code: 'NETWORK_NOT_FOUND' });
  });

  it('connects 20 containers at once, each with an address of its own', async () => {
    const containers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => machine.container(`c${at}`, ['bridge'])),
    );
    const attached = await Promise.all(containers.map((container) => machine.attach(container)));
    const addresses = attached.map(({ attachments }) => attachments[0]?.address.split('/')[0] ?? '');
    expect(new Set(addresses).size).toBe(20);
    const [first] = containers;
    for (const address of addresses) expect(first !== undefined && reaches(first, address)).toBe(true);
    expect(first?.hosts().trim().split('\n')).toHaveLength(22);
    await Promise.all(containers.map((container) => machine.detach(container)));
    expect((await machine.listNetworks())[0]?.containers).toEqual([]);
  });

  it('gives an address again only after all others, and then cuts off whoever still sends from it', async () => {
    await machine.createNetwork({ name: 'small', internal: true, subnet: '10.20.30.0/28' });
    const first = await start('first', 'small');
    // Its lease is gone but it lives on: a container whose monitor was killed.
    await machine.detach(first);
    const others: string[] = [];
    for (let at = 0; at < 10; at++) others.push((await start(`c${at}`, 'small')).address);
    expect(others).toHaveLength(10);
    expect(others.indexOf(first.address)).toBe(9);
    expect(reaches(first, others[0] ?? '', 'soon')).toBe(false);
    await expect(start('last', 'small')).rejects.toMatchObject({
      message: expect.stringContaining('no free address'),
    });
  });

  it('tells of a network that is not there, and leaves no lease behind', async () => {
    const container = await machine.container('one', ['bridge', 'nowhere']);
    await expect(machine.attach(container)).rejects.toMatchObject({ code: 'NETWORK_NOT_FOUND' });
    expect(await machine.listNetworks()).toEqual([]);
  });

  it('takes no subnet the host has a route to, and another one when the host gets such a route', async () => {
    machine.run(['ip', 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'lan2']);
    machine.run(['ip', 'link', 'set', 'lan', 'up']);
    machine.run(['ip', 'route', 'add', '10.213.0.0/23', 'dev', 'lan']);
    expect((await machine.createNetwork({ name: 'net', internal: true })).subnet).toBe('10.213.2.0/24');
    machine.run(['ip', 'route', 'add', '10.213.2.128/25', 'dev', 'lan', 'table', '77']);
    machine.run(['ip', 'rule', 'add', 'from', 'all', 'lookup', '77']);
    expect((await start('one', 'net')).address).toBe('10.213.3.2');
    await expect(
      machine.createNetwork({ name: 'other', internal: true, subnet: '10.213.1.0/24' }),
    ).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('10.213.0.0/23') });
  });

  it('gives --network none its own name and no interface, and host the files of the host', async () => {
    const none = await start('none', 'none');
    expect(none.run(['ip', '-o', 'link']).stdout.trim().split('\n')).toHaveLength(1);
    expect(none.hosts()).toContain('none');
    const host = await start('host', 'host');
    expect(host.hosts()).toBe(readFileSync('/etc/hosts', 'utf8'));
    expect(readFileSync(host.paths.resolv, 'utf8')).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
    const both = await machine.container('both', ['none', 'bridge']);
    await expect(machine.attach(both)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
