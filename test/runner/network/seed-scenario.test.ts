import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ContainerHost, canRunAs, canRunContainers, openHost } from '../../support/container-host.ts';

/** Serves `page` on a port; `/cgi-bin/ask` answers with what `api` says. */
const serve = (page: string, port: number): string[] => [
  'sh',
  '-c',
  `mkdir -p /tmp/www/cgi-bin && echo ${page} > /tmp/www/index.html
printf '#!/bin/sh\\necho\\nwget -qO- http://api:9000/' > /tmp/www/cgi-bin/ask && chmod +x /tmp/www/cgi-bin/ask
exec httpd -f -p ${port} -h /tmp/www`,
];

/** Without cgroups, of which all containers of this machine have some, and the clock of a user's holder. */
const ours = (host: ContainerHost): string[] =>
  host.traces().filter((trace) => !trace.startsWith('/sys/fs/cgroup'));

const able = canRunContainers();

describe.each(['root', 'user'] as const)(
  'a UI with a port, on two networks, and an API on the internal one, as %s',
  (who) => {
    const can = able && canRunAs(who);
    let host: ContainerHost;
    beforeEach(async () => {
      if (can) host = await openHost(who);
    });
    afterEach(async () => {
      if (can) await host.close();
    });

    async function ocitool(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await host.run(...args);
      if (code !== 0) throw new Error(`ocitool ${args.join(' ')}: exit ${code}: ${stderr}`);
      return stdout.trim();
    }

    /** What the host gets, tried again while nothing listens yet. */
    async function fromHost(path: string): Promise<string> {
      let said = '';
      const end = Date.now() + 60_000;
      while (Date.now() < end) {
        const url = `http://127.0.0.1:5000${path}`;
        const { status, stdout, stderr } = spawnSync(
          host.prefix[0] ?? '',
          [...host.prefix.slice(1, 2), 'busybox', 'timeout', '10', 'busybox', 'wget', '-qO-', url],
          { encoding: 'utf8' },
        );
        if (status === 0) return stdout.trim();
        said = stderr;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`no answer: ${said}`);
    }

    it.runIf(can)('reaches what it must and nothing else', { timeout: 300_000 }, async () => {
      const alone = ['cat', '/sys/class/net/lo/carrier'];
      expect(await ocitool('run', '--rm', '--network', 'none', 'busybox:1', ...alone)).toBe('1');
      const before = ours(host);
      await ocitool('network', 'create', 'front');
      await ocitool('network', 'create', '--internal', 'back');
      await ocitool(
        'run',
        '-d',
        '--name',
        'api',
        '--network',
        'back',
        'busybox:1',
        ...serve('the-api', 9000),
      );
      const ui = ['run', '-d', '--name', 'ui', '--network', 'front,back', '-p', '5000:5000'];
      await ocitool(...ui, 'busybox:1', ...serve('the-ui', 5000));

      expect(await fromHost('/')).toBe('the-ui');
      expect(await fromHost('/cgi-bin/ask')).toBe('the-api');

      const networks = JSON.parse(await ocitool('network', 'ls', '--json')) as {
        name: string;
        containers: { name: string; address: string }[];
      }[];
      const back = networks.find(({ name }) => name === 'back');
      expect(back?.containers.map(({ name }) => name).sort()).toEqual(['api', 'ui']);
      const api = back?.containers.find(({ name }) => name === 'api')?.address ?? '';

      // busybox 1.35 crashes with `wget -T`. Waited for generously where an answer must come.
      const get = (seconds: number): string[] => ['timeout', `${seconds}`, 'busybox', 'wget', '-qO-'];
      // The host, by address; a third container, by name and by address; the API, whatever is outside.
      const ask = ['busybox', ...get(3), `http://${api}:9000/`];
      const [program = '', ...rest] = [...host.prefix.slice(0, 2), ...ask];
      expect(spawnSync(program, rest, { encoding: 'utf8' }).stdout).toBe('');
      const third = ['run', '--rm', '--network', 'front', 'busybox:1'];
      for (const name of ['api', api]) {
        expect((await host.run(...third, ...get(3), `http://${name}:9000/`)).stdout).toBe('');
      }
      expect(await ocitool(...third, ...get(60), 'http://ui:5000/')).toBe('the-ui');
      expect((await host.run('exec', 'api', 'ip', 'route')).stdout).not.toContain('default');

      const refused = await host.run('network', 'rm', 'back');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('network back is used by');
      await ocitool('rm', '-f', 'ui', 'api');
      await ocitool('network', 'rm', 'front', 'back');
      expect(ours(host)).toEqual(before);
    });
  },
);
