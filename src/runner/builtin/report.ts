// What the init tells its starter over their socket: lines of JSON. The socket closes when the program starts, so an
// end after `executing` and no `failed` is success.
import type { Operation } from './operation.ts';

export type Report =
  /** The descriptor, in the init, of the terminal's master side. It waits for one byte before it goes on. */
  | { terminal: number }
  /** The next thing is execve. Without it the end of the socket is the init's own. */
  | { executing: true }
  /** The operation of the plan that failed, `call` and errno; the init ends. */
  | { failed: { index: number; call: string; errno: number; note?: string } };

/** What the init reads first. */
export interface Order {
  plan: Operation[];
}

/** The init's descriptors, besides 0, 1 and 2: a file with its `Order`, its socket, and the container's pidfd or -1. */
export const ORDER_FD = 3;
export const STARTER_FD = 4;
export const CONTAINER_FD = 5;
