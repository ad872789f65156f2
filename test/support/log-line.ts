// Waits for a server that says in its log that it is ready: no port is tried, nothing sleeps.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, watch } from 'node:fs';

/**
 * The first match of `pattern` in the file `log`, which `child` writes. When the child ends before that, an Error whose
 * message ends with what it wrote last.
 */
export function logged(child: ChildProcess, log: string, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const watcher = watch(log, look);
    const fail = (): void => {
      watcher.close();
      reject(new Error(`${child.spawnfile} does not start: ${readFileSync(log, 'utf8').slice(-2000)}`));
    };
    function look(): void {
      const found = pattern.exec(readFileSync(log, 'utf8'));
      if (found === null) return;
      watcher.close();
      child.off('exit', fail);
      resolve(found);
    }
    child.once('error', reject);
    child.once('exit', fail);
    look();
  });
}
