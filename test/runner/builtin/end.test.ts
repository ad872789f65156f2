// However a container or its monitor ends, nothing of it is left: no process, no mount, no descriptor.
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { canLaunch, type Launcher, startLauncher, stdoutOf } from './launcher.ts';

/** Processes in a network namespace, which is what a container shares with its monitor. */
function processesIn(namespace: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/net`) === namespace ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const namespaceOf = ({ service }: Launcher): string => readlinkSync(`/proc/${service.pid}/ns/net`);

/**
 * Kills the monitor and waits until its children have gone as well: the kernel kills them, though not before it is seen
 * dead. The namespace is held open meanwhile, or the next one that anybody makes may have its number.
 */
async function killWithAll(launcher: Launcher): Promise<void> {
  const namespace = namespaceOf(launcher);
  const held = openSync(`/proc/${launcher.service.pid}/ns/net`, 'r');
  try {
    launcher.service.kill('SIGKILL');
    await once(launcher.service, 'exit');
    await expect.poll(() => processesIn(namespace)).toEqual([]);
  } finally {
    closeSync(held);
  }
}

describe.runIf(canLaunch())('the end of a container of the built-in driver', () => {
  it('leaves no mount, descriptor or process of it, however it went', async () => {
    const launcher = await startLauncher();
    try {
      const { pid } = launcher.service;
      const state = () => ({
        mounts: readFileSync(`/proc/${pid}/mountinfo`, 'utf8'),
        processes: processesIn(namespaceOf(launcher)),
        descriptors: readdirSync(`/proc/${pid}/fd`).length,
        threadNamespace: readlinkSync(`/proc/${pid}/ns/pid_for_children`),
      });
      stdoutOf(await launcher.run(['true']));
      const before = state();
      stdoutOf(await launcher.run(['true'], { request: { terminal: true } }));
      await launcher.run(['nosuch']);
      await launcher.run(['true'], { input: { rootfs: '/no/such/root' } });
      await launcher.run(['true'], { request: { workdir: '/proc/self/fd/3' } });
      // Its children go with pid 1.
      await launcher.run(['sh', '-c', 'sleep 600 & sleep 600 & exit 3']);
      await Promise.all([launcher.run(['true']), launcher.run(['true']), launcher.run(['true'])]);
      expect(state()).toEqual(before);
    } finally {
      await launcher.close();
    }
  });

  it('comes when its monitor is killed, with all it started', async () => {
    const launcher = await startLauncher();
    try {
      const { started } = launcher.start(['sh', '-c', 'sleep 600 & sleep 600']);
      const container = await started;
      const inside = launcher.start(['sleep', '600'], { container });
      await inside.started;
      expect(processesIn(namespaceOf(launcher)).length).toBeGreaterThan(3);
      await killWithAll(launcher);
    } finally {
      await launcher.close();
    }
  });

  it('comes when its monitor is killed at any moment of the start', async () => {
    await Promise.all(
      [0, 20, 60, 100, 150, 200, 300, 400].map(async (delay) => {
        const launcher = await startLauncher();
        try {
          // The first start has loaded everything, so that the delays below fall into the second.
          stdoutOf(await launcher.run(['true']));
          void launcher.start(['sleep', '600']).outcome;
          await sleep(delay);
          await killWithAll(launcher);
        } finally {
          await launcher.close();
        }
      }),
    );
  });
});
