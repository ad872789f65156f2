// Exec: one more process in a running container, with what the first one has unless told otherwise.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { findContainer } from '../runner/containers.ts';
import type { Launched } from '../runner/driver.ts';
import { loadDriver } from '../runner/drivers.ts';
import { libc } from '../runner/libc.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';
import { readBinaryFormats } from '../runner/spec/binfmt.ts';
import { checkCommand } from '../runner/spec/command.ts';
import { type HostFacts, readHostFacts } from '../runner/spec/host-facts.ts';
import { type Inside, openInside } from '../runner/spec/inside.ts';
import type { Process, RuntimeSpec } from '../runner/spec/runtime-spec.ts';
import { userOf } from '../runner/spec/user-inside.ts';
import { relayTerminal } from '../runner/terminal.ts';
import type { Client } from './client.ts';
import { pathsOf, runningProcess } from './containers.ts';
import type { StartedContainer } from './launch.ts';

export interface ExecOptions {
  command: string[];
  /** As in `RunRequest`. */
  env: string[];
  terminal: boolean;
  interactive: boolean;
  user?: string | undefined;
  workdir?: string | undefined;
}

/**
 * Starts the process with this one's descriptors 0 to 2. Throws CONTAINER_NOT_FOUND, NOT_RUNNING, USER_NOT_FOUND,
 * COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED.
 */
export async function exec(
  client: Client,
  name: string,
  options: ExecOptions,
  window?: WindowSize,
): Promise<Pick<StartedContainer, 'exited' | 'signal' | 'resize'>> {
  const container = findContainer(await pathsOf(client), name);
  const { pid } = runningProcess(container);
  const { paths, record } = container;
  const facts = readHostFacts();
  const spec = JSON.parse(readFileSync(paths.spec, 'utf8')) as RuntimeSpec;
  const inside = openInside(`/proc/${pid}/root`);
  try {
    spec.process = processFor(spec.process, options, inside, facts);
    if (options.terminal && window !== undefined) {
      spec.process.consoleSize = { height: window.rows, width: window.columns };
    }
    checkCommand(spec.process, { inside, architecture: facts.architecture, formats: readBinaryFormats() });
  } finally {
    inside.close();
  }
  const driver = await loadDriver(record.runtime);
  const input = options.interactive ? 0 : openSync('/dev/null', 'r');
  // Node makes pipes non-blocking, for everybody who has them.
  for (const descriptor of [0, 1, 2]) libc().makeBlocking(descriptor);
  let launched: Launched;
  try {
    launched = await driver.exec({
      pid,
      id: record.id,
      bundle: paths.folder,
      spec,
      stdio: [input, 1, 2],
      rootless: facts.rootless,
    });
  } finally {
    if (input !== 0) closeSync(input);
  }
  const { terminal } = launched;
  const resize = ({ rows, columns }: WindowSize): void => {
    if (terminal !== undefined) libc().setWindowSize(terminal, rows, columns);
  };
  const relayed =
    terminal === undefined ? undefined : relayTerminal(terminal, { input: options.interactive });
  return {
    exited: launched.exited.then(async (status) => {
      await relayed;
      if (relayed !== undefined) process.stdin.destroy();
      return status;
    }),
    signal: launched.signal ?? ((signal) => process.kill(launched.pid, signal)),
    resize,
  };
}

function processFor(first: Process, options: ExecOptions, inside: Inside, { ids }: HostFacts): Process {
  const { command, env, terminal, user, workdir } = options;
  const found = user === undefined ? undefined : userOf(inside, user);
  const variables = new Map(first.env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry]));
  if (terminal && !variables.has('TERM')) variables.set('TERM', 'TERM=xterm');
  if (found !== undefined) variables.set('HOME', `HOME=${found.home}`);
  for (const entry of env) {
    const at = entry.indexOf('=');
    if (at === -1) variables.delete(entry);
    else variables.set(entry.slice(0, at), entry);
  }
  const { bounding } = first.capabilities;
  const uid = found?.uid ?? first.user.uid;
  const own = uid === 0 ? bounding : [];
  const groups = found === undefined || !ids.setgroups ? [] : [found.gid, ...found.additionalGids];
  return {
    ...first,
    args: command,
    env: [...variables.values()],
    terminal,
    cwd: workdir ?? first.cwd,
    capabilities: { ...first.capabilities, effective: own, permitted: own },
    user:
      found === undefined
        ? first.user
        : { ...first.user, uid: found.uid, gid: found.gid, additionalGids: groups },
  };
}
