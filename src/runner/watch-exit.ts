// How a process ends that is this one's child by adoption: Node waits for the children it has spawned only.
import { OciError } from '../errors.ts';
import type { ExitStatus } from './driver.ts';
import { libc } from './libc.ts';
import { exitStatusOf } from './processes.ts';

/** The end of child `pid`, which Node did not spawn. Never rejects: a child that is not ours counts as 125. */
export function watchExit(pid: number): Promise<ExitStatus> {
  return new Promise((resolve) => {
    const look = (): void => {
      let end: ExitStatus;
      try {
        const status = libc().waitStatus(pid);
        if (status === undefined) return;
        end = exitStatusOf(status);
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
        end = { code: 125 };
      }
      process.off('SIGCHLD', look);
      resolve(end);
    };
    process.on('SIGCHLD', look);
    // It may have ended before anybody listened.
    look();
  });
}
