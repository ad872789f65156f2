// The process of a container's monitor. Imports nothing of ours: bin/ocitool.cjs has it run before all else.
import { type ChildProcess, spawn } from 'node:child_process';

export interface MonitorOptions {
  /** The container's 0, 1 and 2: descriptors of this process. */
  stdio: readonly [number | 'ignore', number | 'ignore', number | 'ignore'];
  /** A network namespace of its own. */
  network: boolean;
  /** Descriptors it inherits, from 4 on. */
  descriptors: readonly number[];
}

/** `program`: the monitor's file. What fails is an event of the process. */
export function spawnMonitor(program: string, { stdio, network, descriptors }: MonitorOptions): ChildProcess {
  const flags = ['--mount', '--propagation', 'slave', ...(network ? ['--net'] : [])];
  return spawn('unshare', [...flags, '--', process.execPath, program], {
    // A session of its own: Ctrl-C in the terminal is the command's to pass on.
    detached: true,
    stdio: [...stdio, 'ipc', ...descriptors],
    env: { ...process.env, NODE_OPTIONS: undefined },
  });
}
