// A stand-in for monitors: in the mount and network namespace that a test gave it, it starts what it is told to with the
// built-in driver, as many as come, and says how each ended. Started by launcher.ts.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isOciError } from '../../../src/errors.ts';
import { builtinDriver } from '../../../src/runner/builtin/driver.ts';
import type { ExecRequest, Launch, Launched } from '../../../src/runner/driver.ts';
import type { Answer, Job } from './launcher.ts';

const driver = builtinDriver({ available: true, missing: [] });

process.on('message', (job: Job) => {
  run(job).catch((error: unknown) => {
    const { code, message, hint } = isOciError(error)
      ? error
      : { code: 'BUG', message: String(error), hint: '' };
    tell({ id: job.id, type: 'failed', code, message, hint });
  });
});

async function run({ id, folder, spec, rootless, container, answers }: Job): Promise<void> {
  const files = ['in', 'out', 'err'].map((name) => openSync(join(folder, name), name === 'in' ? 'r' : 'a'));
  const common = {
    id: 'f'.repeat(64),
    bundle: folder,
    spec,
    rootless,
    stdio: files as [number, number, number],
  };
  let launched: Launched;
  try {
    launched =
      container === undefined
        ? await driver.launch({ ...common, cgroups: [] } as Launch)
        : await driver.exec({ ...common, pid: container, cgroups: [] } as ExecRequest);
  } finally {
    for (const file of files) closeSync(file);
  }
  const output = launched.terminal === undefined ? undefined : talk(launched.terminal, answers);
  tell({ id, type: 'started', pid: launched.pid });
  const exit = await launched.exited;
  const text = output === undefined ? read(folder, 'out') : await output;
  tell({ id, type: 'ended', exit, stdout: text, stderr: read(folder, 'err') });
}

/** Reads a terminal to its end, and types each answer when the text it waits for has come. */
async function talk(terminal: number, answers: Job['answers']): Promise<string> {
  const { createReadStream, writeSync } = await import('node:fs');
  const waiting = [...answers];
  let text = '';
  try {
    for await (const chunk of createReadStream('', { fd: terminal, encoding: 'utf8' })) {
      text += chunk;
      while (waiting[0] !== undefined && text.includes(waiting[0].after)) {
        writeSync(terminal, waiting.shift()?.type ?? '');
      }
    }
  } catch {
    // EIO is how a terminal ends whose other side is closed.
  }
  return text;
}

function read(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

function tell(answer: Answer): void {
  process.send?.(answer);
}
