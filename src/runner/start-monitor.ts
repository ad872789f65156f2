// Starts the monitor of a container and speaks with it.
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, OciError } from '../errors.ts';
import type { Attachment } from './container.ts';
import type { ExitStatus } from './driver.ts';
import type { FromMonitor, MonitorJob, ToMonitor, WindowSize } from './monitor-messages.ts';
import { type MonitorOptions, spawnMonitor } from './spawn-monitor.ts';

/** As the program starts it, with its compiled code; beside this file where that was taken out of the package. */
const PLACES = import.meta.url.endsWith('.ts') ? ['./monitor.ts'] : ['../../bin/monitor.cjs', './monitor.js'];

/** The monitor's first descriptor for a published socket: after 0 to 2 and the channel. */
export const FIRST_PUBLISHED = 4;

export interface Monitor {
  readonly pid: number;
  /** Resolves when it is in its namespaces. Throws RUNTIME_FAILED. */
  arrived(): Promise<void>;
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

let early: { monitor: Monitor; options: MonitorOptions } | undefined;

/**
 * Keeps one that was just started for the next `startMonitor`, if that wants it so. Answers how to end it if nobody took
 * it.
 */
export function keepMonitor(child: ChildProcess, options: MonitorOptions): () => Promise<void> {
  early = { monitor: speakWith(child), options };
  return async () => {
    const dropped = early;
    early = undefined;
    await dropped?.monitor.cancel();
  };
}

/** Throws RUNTIME_FAILED when this machine cannot. */
export function startMonitor(options: MonitorOptions): Monitor {
  if (early === undefined || JSON.stringify(options) !== JSON.stringify(early.options)) {
    return speakWith(spawnMonitor(monitorPath(), options));
  }
  const taken = early.monitor;
  early = undefined;
  return taken;
}

function speakWith(child: ChildProcess): Monitor {
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
    async arrived() {
      await answers.wait('here');
    },
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
