// What a command and the monitor of its container say to each other, over the channel that Node gives a child.
import type { Attachment, RuntimeChoice } from './container.ts';
import type { ExitStatus } from './driver.ts';
import type { Published } from './network/contract.ts';

/** Everything the monitor needs to know; the runtime spec is in the container's folder already. */
export interface MonitorJob {
  /** The store's directory. */
  store: string;
  id: string;
  /** Absolute path of the flattened tree. */
  tree: string;
  runtime: RuntimeChoice;
  rootless: boolean;
  detach: boolean;
  interactive: boolean;
  /** Remove the container when it ends. */
  remove: boolean;
  stopSignal: string;
  /** The cgroup's path below each hierarchy; absent: none. */
  cgroup?: string;
  /** Descriptors are the monitor's. */
  published: Published[];
}

export interface WindowSize {
  rows: number;
  columns: number;
}

/** From the command. */
export type ToMonitor =
  | { type: 'prepare'; job: MonitorJob }
  | { type: 'go'; networks: Attachment[] }
  | { type: 'cancel' }
  | { type: 'signal'; signal: NodeJS.Signals }
  | { type: 'resize'; window: WindowSize };

/** From the monitor, in this order; `failed` may take the place of any. */
export type FromMonitor =
  /** It is in its namespaces. */
  | { type: 'here' }
  | { type: 'ready'; note?: string }
  | { type: 'started'; pid: number }
  | { type: 'failed'; error: { code: string; message: string; hint?: string } }
  | { type: 'exit'; exit: ExitStatus };
