// Signals of a command that stands for a container: until that runs they stop the work, and then they are its own. What
// comes in between waits.
import { OciError } from '../errors.ts';
import type { SignalWatch } from './signals.ts';

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const OTHERS = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

export interface SignalPass extends SignalWatch {
  /** From now on, and what has come already, to `receiver`. */
  to(receiver: (signal: NodeJS.Signals) => void): void;
}

export function passSignals(): SignalPass {
  const controller = new AbortController();
  const waiting: NodeJS.Signals[] = [];
  let receiver: ((signal: NodeJS.Signals) => void) | undefined;
  const names: readonly NodeJS.Signals[] = [...STOPPING, ...OTHERS];
  const take = (signal: NodeJS.Signals): void => {
    if (receiver !== undefined) {
      receiver(signal);
      return;
    }
    waiting.push(signal);
    if (STOPPING.some((name) => name === signal)) controller.abort(new OciError('ABORTED', 'interrupted'));
  };
  for (const name of names) process.on(name, take);
  return {
    signal: controller.signal,
    to(given) {
      receiver = given;
      for (const signal of waiting.splice(0)) given(signal);
    },
    close() {
      for (const name of names) process.off(name, take);
    },
  };
}
