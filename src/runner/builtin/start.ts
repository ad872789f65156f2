// From a plan to a running process: starts the init, hands it the plan, takes the terminal, and waits until it has
// become the program or says why not.
import { closeSync, createReadStream, openSync } from 'node:fs';
import { OciError } from '../../errors.ts';
import type { Launched } from '../driver.ts';
import { bytes, kernel } from '../kernel.ts';
import { libc } from '../libc.ts';
import { launchError } from './failure.ts';
import { O_CLOEXEC } from './numbers.ts';
import type { Operation } from './operation.ts';
import type { Order, Report } from './report.ts';
import { type Spawn, type Spawned, spawnInit } from './spawn.ts';

export interface StartOptions extends Pick<Spawn, 'pidNamespace'> {
  /** Undefined: nothing, until the plan's terminal takes their place. */
  stdio: Spawn['stdio'] | undefined;
  /** Of the plan's terminal, before the program sees it. */
  size?: { height: number; width: number } | undefined;
}

/** Throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED; nothing is left then. */
export async function start(
  plan: Operation[],
  { stdio, size, pidNamespace }: StartOptions,
): Promise<Launched> {
  const { call } = kernel();
  const [ours, theirs] = socketPair();
  const nothing = openSync('/dev/null', 'r+');
  let order = -1;
  let child: Spawned;
  try {
    order = orderFile({ plan });
    child = spawnInit({ order, socket: theirs, stdio: stdio ?? [nothing, nothing, nothing], pidNamespace });
  } catch (error) {
    call('close', ours);
    throw error;
  } finally {
    call('close', theirs);
    closeSync(nothing);
    if (order !== -1) call('close', order);
  }
  let terminal: number | undefined;
  let executing = false;
  try {
    for await (const report of reportsFrom(ours)) {
      if ('failed' in report) throw launchError(plan, report.failed);
      if ('terminal' in report) {
        terminal = takeDescriptor(child.pid, report.terminal);
        if (size !== undefined) libc().setWindowSize(terminal, size.height, size.width);
        call('write', ours, bytes(1), 1);
      } else executing = true;
    }
    if (!executing) throw new OciError('RUNTIME_FAILED', 'the init ended before its time');
  } catch (error) {
    if (terminal !== undefined) call('close', terminal);
    // Before it became anything of the image's; a failed one ends by itself.
    if (!(error instanceof OciError)) process.kill(child.pid, 'SIGKILL');
    await child.exited;
    throw error;
  }
  return { ...child, ...(terminal === undefined ? {} : { terminal }) };
}

/** Closes the socket when it ends. */
async function* reportsFrom(socket: number): AsyncGenerator<Report> {
  let text = '';
  for await (const chunk of createReadStream('', { fd: socket, encoding: 'utf8' })) {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Report;
  }
}

/** Blocking on the init's side, which has no event loop that runs. */
function socketPair(): [number, number] {
  const pair = bytes(8);
  const AF_UNIX = 1;
  const SOCK_STREAM = 1;
  kernel().call('socketpair', AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair);
  return [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
}

/** A file in memory: a plan may be larger than a pipe. */
function orderFile(order: Order): number {
  const { call } = kernel();
  const MFD_CLOEXEC = 1;
  const file = call('memfd_create', 'ocitool-plan', MFD_CLOEXEC);
  const content = bytes(Buffer.from(JSON.stringify(order)));
  for (let done = 0; done < content.length; ) {
    done += call('write', file, bytes(content.subarray(done)), content.length - done);
  }
  call('lseek', file, 0, 0);
  return file;
}

/** A copy of another process's descriptor. */
function takeDescriptor(pid: number, descriptor: number): number {
  const { call } = kernel();
  const process = call('pidfd_open', pid, 0);
  try {
    return call('pidfd_getfd', process, descriptor, 0);
  } finally {
    call('close', process);
  }
}
