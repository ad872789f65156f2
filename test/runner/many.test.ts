// A hundred containers, twenty at a time: each is started, asked for, and removed; nothing of any of them is left.
import { describe, expect, it } from 'vitest';
import { canRunContainers, openHost } from '../support/container-host.ts';

const COUNT = 100;
const AT_ONCE = 20;

describe.runIf(canRunContainers())('a hundred containers', () => {
  it('come and go without a trace', { timeout: 600_000 }, async () => {
    const host = await openHost();
    try {
      // The trial of runtimes, the flattened tree, the network's record.
      await host.run('run', '--rm', 'busybox:1', 'true');
      const before = host.traces();
      const failed: string[] = [];
      const queue = Array.from({ length: COUNT }, (_, number) => number);
      const life = async (number: number): Promise<void> => {
        const name = `many-${number}`;
        // Every fourth is on a network with others, and lives until it is removed; the rest end by themselves.
        const lasting = number % 4 === 0;
        const network = lasting ? 'bridge' : 'none';
        const command = lasting
          ? ['-d', '--name', name, 'busybox:1', 'sleep', '1000']
          : ['--rm', 'busybox:1', 'echo', name];
        const ran = await host.run('run', '--network', network, ...command);
        if (ran.code !== 0 || (!lasting && ran.stdout !== `${name}\n`)) failed.push(`${name}: ${ran.stderr}`);
        if (!lasting) return;
        const listed = (await host.ps()).find((container) => container.name === name);
        if (listed?.status !== 'running' || listed.networks.length !== 1)
          failed.push(`${name}: ${listed?.status}`);
        const removed = await host.run('rm', '-f', name);
        if (removed.code !== 0) failed.push(`${name}: ${removed.stderr}`);
      };
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let number = queue.shift(); number !== undefined; number = queue.shift()) await life(number);
        }),
      );
      expect(failed).toEqual([]);
      await host.leavesNothing(before);
    } finally {
      await host.close();
    }
  });
});
