// A process in a network namespace of its own that does what a test tells it to: see netns.ts.

import { isOciError } from '../../src/errors.ts';
import { createNetwork, listNetworks, removeNetwork } from '../../src/runner/network/manage.ts';
import { createNetworks } from '../../src/runner/network/networks.ts';
import { identify } from '../../src/runner/processes.ts';
import type { Answer, Call, ContainerSetup } from './netns.ts';

const calls: Record<Call['method'], (...args: never[]) => unknown> = {
  attach: (folder: string, { pid, ...container }: ContainerSetup) => {
    const monitor = identify(pid);
    if (monitor === undefined) throw new Error(`process ${pid} is gone`);
    return createNetworks(folder).attach({ ...container, monitor });
  },
  detach: (folder: string, id: string) => createNetworks(folder).detach(id),
  createNetwork,
  listNetworks,
  removeNetwork,
};

process.on('message', (call: Call) => void carryOut(call));

async function carryOut({ number, method, args }: Call): Promise<void> {
  let answer: Answer;
  try {
    answer = { number, result: await calls[method](...(args as never[])) };
  } catch (error) {
    const known = isOciError(error) ? { code: error.code, hint: error.hint } : {};
    answer = { number, error: { message: String(error), ...known } };
  }
  process.send?.(answer);
}
