// How a process ends that is this one's child by adoption: Node waits for the children it has spawned only.
import { existsSync } from 'node:fs';
import type { ExitStatus } from './driver.ts';
import { libc } from './libc.ts';
import { exitStatusOf } from './processes.ts';

/**
 * The end of `pid`, which becomes a child of this process when its parents leave: crun's helper may outlive crun by a
 * moment. Takes in every child that ends meanwhile, so that no zombie of a runtime's stays: let Node have none.
 * Never rejects; a process that has gone to somebody else counts as 125.
 */
export function watchExit(pid: number): Promise<ExitStatus> {
  return new Promise((resolve) => {
    const look = (): void => {
      let end: ExitStatus | undefined;
      for (let child = libc().waitAny(); child !== undefined; child = libc().waitAny()) {
        if (child.pid === pid) end = exitStatusOf(child.status);
      }
      // There is a folder for a zombie too.
      if (end === undefined && !existsSync(`/proc/${pid}`)) end = { code: 125 };
      if (end === undefined) return;
      process.off('SIGCHLD', look);
      resolve(end);
    };
    process.on('SIGCHLD', look);
    // It may have ended before anybody listened.
    look();
  });
}
