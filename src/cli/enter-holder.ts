// A normal user's command about containers is carried out by a second one, inside the user's holder: there the user is
// root, and the code is the same as root's. This process stays outside to pass on signals, for nsenter does not.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { defaultStoreDir } from '../client/client.ts';
import { OciError } from '../errors.ts';
import type { Published } from '../runner/network/contract.ts';
import { idMaps } from './rootless.ts';

/** Set inside: where the outer command was, and the sockets it has opened. */
const MARK = 'OCITOOL_HOLDER';

interface Handover {
  cwd: string;
  published: Published[];
}

const PASSED: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];
/** After 0 to 2 and the channel. */
const FIRST_PUBLISHED = 4;

export interface EnterOptions {
  /** `--store` as given. */
  store: string | undefined;
  /** False: where there is no holder there is nothing to do inside, and the command goes on here. */
  start: boolean;
  /** Stay in the user's own network namespace. */
  hostNetwork?: boolean;
  /** Sockets of this process to take along. */
  published?: readonly Published[];
}

/** True for a normal user outside. */
export function isOutside(): boolean {
  return process.geteuid?.() !== 0 && process.env[MARK] === undefined;
}

/**
 * Outside, as a normal user: has this command carried out inside, sets the exit code and answers true. Otherwise
 * answers false. Throws UNSUPPORTED where there can be no user namespace.
 */
export async function enterHolder(options: EnterOptions): Promise<boolean> {
  if (!isOutside()) {
    handedOver();
    return false;
  }
  const { ensureHolder, findHolder } = await import('../runner/holder.ts');
  const file = holderFile(options.store);
  const maps = idMaps();
  const holder = options.start
    ? await ensureHolder(file, typeof maps === 'string' ? [] : maps)
    : findHolder(file);
  if (holder === undefined) return false;
  const published = (options.published ?? []).map((port, i) => ({
    ...port,
    descriptor: FIRST_PUBLISHED + i,
  }));
  const handover: Handover = { cwd: process.cwd(), published };
  const child = spawn(
    'nsenter',
    [
      `--target=${holder.pid}`,
      '--preserve-credentials',
      '--user',
      '--mount',
      '--pid',
      ...(options.hostNetwork === true ? [] : ['--net']),
      '--',
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    {
      // A session of its own: what the terminal's keys mean reaches it through this process only.
      detached: true,
      stdio: [0, 1, 2, 'ipc', ...(options.published ?? []).map(({ descriptor }) => descriptor)],
      env: { ...process.env, [MARK]: JSON.stringify(handover) },
    },
  );
  for (const signal of PASSED) process.on(signal, () => child.connected && child.send(signal));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      reject(
        new OciError('UNSUPPORTED', `cannot enter the namespaces of your containers: ${error.message}`, {
          hint: 'nsenter (util-linux) must be installed',
          cause: error,
        }),
      );
    });
    child.once('exit', (code, signal) =>
      resolve(signal === null ? (code ?? 125) : 128 + constants.signals[signal]),
    );
  });
  return true;
}

let handover: Handover | undefined;

/** Inside: the sockets that the outer command has opened. From now on its signals come here, and this dies with it. */
export function handedOver(): Published[] | undefined {
  const text = process.env[MARK];
  if (text === undefined || handover !== undefined) return handover?.published;
  handover = JSON.parse(text) as Handover;
  const { cwd, published } = handover;
  process.chdir(cwd);
  process.on('message', (signal: NodeJS.Signals) => {
    if (!process.emit(signal, signal)) process.exit(128 + constants.signals[signal]);
  });
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel?.unref();
  return published;
}

/** In the runtime folder, where all stores of the user share it, else in the store. */
function holderFile(store: string | undefined): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && runtime !== '') return join(runtime, 'ocitool', 'holder.json');
  return join(store ?? defaultStoreDir(process.env), 'ocitool', 'v1', 'holder.json');
}
