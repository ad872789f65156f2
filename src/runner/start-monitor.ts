// Starts the monitor of a container and speaks with it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, OciError } from '../errors.ts';
import type { Attachment } from './container.ts';
import type { ExitStatus } from './driver.ts';
import type { FromMonitor, MonitorJob, ToMonitor, WindowSize } from './monitor-messages.ts';

/** Beside this file; the bundle has it beside a chunk or above a command, as one file. */
const PLACES = import.meta.url.endsWith('.ts')
  ? ['./monitor.ts']
  : ['./monitor.cjs', '../monitor.cjs', './monitor.js'];

/** The monitor's first descriptor for a published socket: after 0 to 2 and the channel. */
export const FIRST_PUBLISHED = 4;

export interface MonitorOptions {
  /** The container's 0, 1 and 2: descriptors of this process. */
  stdio: readonly [number | 'ignore', number | 'ignore', number | 'ignore'];
  /** A network namespace of its own. */
  network: boolean;
  /** Descriptors it inherits, from FIRST_PUBLISHED on. */
  descriptors: readonly number[];
}

export interface Monitor {
  readonly pid: number;
  /** Has the root file system mounted; answers a remark about it. Throws what failed there. */
  prepare(job: MonitorJob): Promise<string | undefined>;
  /** Has the container launched; answers its pid. Throws COMMAND_NOT_FOUND, RUNTIME_FAILED. */
  go(networks: Attachment[]): Promise<number>;
  /** How the container ended, once the monitor is gone too. */
  readonly exited: Promise<ExitStatus>;
  signal(signal: NodeJS.Signals): void;
  resize(window: WindowSize): void;
  /** Lets it live on alone. */
  release(): void;
  /** Ends it, before or instead of `go`; it removes what it made. */
  cancel(): Promise<void>;
}

/** What `startEarlyMonitor` starts: of a container in the foreground, without input and published ports. */
const EARLY: MonitorOptions = { stdio: ['ignore', 1, 2], network: true, descriptors: [] };

let early: Monitor | undefined;

/** Starts one that the next `startMonitor` takes, if it is of the kind that is wanted. */
export function startEarlyMonitor(): void {
  early = spawnMonitor(EARLY);
}

/** Ends one that nobody took. */
export async function dropEarlyMonitor(): Promise<void> {
  const dropped = early;
  early = undefined;
  await dropped?.cancel();
}

/** Throws RUNTIME_FAILED when this machine cannot. */
export function startMonitor(options: MonitorOptions): Monitor {
  if (early === undefined || JSON.stringify(options) !== JSON.stringify(EARLY)) return spawnMonitor(options);
  const taken = early;
  early = undefined;
  return taken;
}

function spawnMonitor({ stdio, network, descriptors }: MonitorOptions): Monitor {
  const flags = ['--mount', '--propagation', 'slave', ...(network ? ['--net'] : [])];
  const child = spawn('unshare', [...flags, '--', process.execPath, monitorPath()], {
    // A session of its own: Ctrl-C in the terminal is the command's to pass on.
    detached: true,
    stdio: [...stdio, 'ipc', ...descriptors],
    env: { ...process.env, NODE_OPTIONS: undefined },
  });
  const answers = createInbox(child);
  const send = (message: ToMonitor): void => {
    if (child.connected) child.send(message);
  };
  const exited = (async (): Promise<ExitStatus> => {
    const { exit } = await answers.wait('exit');
    await answers.gone;
    return exit;
  })();
  exited.catch(() => {});
  return {
    pid: child.pid ?? -1,
    exited,
    async prepare(job) {
      send({ type: 'prepare', job });
      return (await answers.wait('ready')).note;
    },
    async go(networks) {
      send({ type: 'go', networks });
      return (await answers.wait('started')).pid;
    },
    signal: (signal) => send({ type: 'signal', signal }),
    resize: (window) => send({ type: 'resize', window }),
    release() {
      if (child.connected) child.disconnect();
      child.unref();
    },
    async cancel() {
      // Not by disconnecting, after which Node never tells that the child is gone.
      send({ type: 'cancel' });
      await answers.gone;
    },
  };
}

function monitorPath(): string {
  const paths = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? (paths[0] as string);
}

/** The monitor's messages by type; `failed`, and the monitor's own death, are thrown to whoever waits. */
function createInbox(child: ChildProcess): {
  wait<T extends FromMonitor['type']>(type: T): Promise<Extract<FromMonitor, { type: T }>>;
  gone: Promise<void>;
} {
  const received: FromMonitor[] = [];
  let failure: OciError | undefined;
  let wake: (() => void)[] = [];
  const news = (): void => {
    for (const waiter of wake) waiter();
    wake = [];
  };
  child.on('message', (message: FromMonitor) => {
    if (message.type === 'failed') {
      const { code, message: text, hint } = message.error;
      failure = new OciError(code as ErrorCode, text, { hint });
    } else received.push(message);
    news();
  });
  child.on('error', (error) => {
    failure ??= new OciError('RUNTIME_FAILED', `cannot start the container's monitor: ${error.message}`, {
      hint: 'unshare (util-linux) must be installed',
      cause: error,
    });
    news();
  });
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', (code, signal) => {
      failure ??= new OciError(
        'RUNTIME_FAILED',
        `the container's monitor ended before its time (${signal ?? `exit ${code}`})`,
      );
      news();
      resolve();
    });
  });
  return {
    gone,
    async wait(type) {
      for (;;) {
        const found = received.find((message) => message.type === type);
        if (found !== undefined) return found as never;
        if (failure !== undefined) {
          // What it made is gone when it is.
          await gone;
          throw failure;
        }
        await new Promise<void>((resolve) => wake.push(resolve));
      }
    },
  };
}
