// Processes that cannot be mistaken for a later one with the same number, and how they end.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { ProcessIdentity } from './container.ts';
import type { ExitStatus } from './driver.ts';

/** The process with this pid now; undefined when there is none, or a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // After the name, which may hold anything: state is field 3, the start time field 22 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[19];
  return fields[0] === 'Z' || startTime === undefined ? undefined : { pid, startTime };
}

/** This process. */
export function identifySelf(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, startTime: '' };
}

/** True while that very process lives. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identify(pid)?.startTime === startTime;
}

/** Sends a signal (a name or a number); false when the process has gone. */
export function sendSignal(target: ProcessIdentity, signal: NodeJS.Signals | number): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** A wait status as waitpid(2) gives it. */
export function exitStatusOf(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  if (signal === 0) return { code: (waitStatus >> 8) & 0xff };
  return { signal: signalName(signal) };
}

/** As a shell tells it: 128 and the signal's number for a process that a signal ended. */
export function exitCodeOf(status: ExitStatus): number {
  return 'code' in status ? status.code : 128 + (constants.signals[status.signal] ?? 0);
}

/** Real-time signals have no name in Node: `SIG35`. */
function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return (found ?? `SIG${number}`) as NodeJS.Signals;
}
