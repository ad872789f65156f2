// Ctrl-C stops the work, not the process: partial blobs stay resumable, temporary files go. A second one means it.
import { OciError } from '../errors.ts';

/** Signals turned into one abort signal. */
export interface SignalWatch {
  signal: AbortSignal;
  close(): void;
}

const WATCHED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export function watchSignals(): SignalWatch {
  const controller = new AbortController();
  function stop(name: NodeJS.Signals): void {
    if (controller.signal.aborted) process.exit(WATCHED[name as keyof typeof WATCHED]);
    controller.abort(
      new OciError('ABORTED', 'interrupted', {
        hint: 'what was fetched is kept: the same command goes on from there',
      }),
    );
  }
  const names = Object.keys(WATCHED) as (keyof typeof WATCHED)[];
  for (const name of names) process.on(name, stop);
  return {
    signal: controller.signal,
    close() {
      for (const name of names) process.off(name, stop);
    },
  };
}
