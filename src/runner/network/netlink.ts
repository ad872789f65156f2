// Speaks rtnetlink(7) with the kernel, by node:ffi: `ip` would be a process, and 4 ms and more, for each namespace. The
// kernel answers within the call, so that nothing here waits.
import { closeSync, openSync } from 'node:fs';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { OciError } from '../../errors.ts';
import { bytes, type Kernel, kernel } from '../kernel.ts';

const AF_NETLINK = 16;
/** SOCK_RAW | SOCK_CLOEXEC */
const SOCK_RAW_CLOEXEC = 0o2000003;
const NETLINK_ROUTE = 0;
const CLONE_NEWNET = 0x40000000;

const NLMSG_ERROR = 2;
const HEADER = 16;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;

/** The kernel's refusal of a request; `code` is the errno's name. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly code: string;

  constructor(what: string, errno: number) {
    super(`${what}: ${getSystemErrorMessage(-errno)}`);
    this.code = getSystemErrorName(-errno);
  }
}

/** A socket of one network namespace. */
export interface RouteSocket {
  /**
   * Has a request of type `type` done; answers the body of what comes beside the acknowledgement. `what` names it in the
   * NetlinkError that is thrown when the kernel refuses.
   */
  request(what: string, type: number, flags: number, body: Uint8Array): Buffer | undefined;
  close(): void;
}

/** This thread's network namespace. */
export const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/** Opens a socket in the network namespace that the file `path` is. Throws UNSUPPORTED, NetlinkError. */
export function openRouteSocket(path: string): RouteSocket {
  const { call } = loadKernel();
  const socket = insideNamespace(path, () => call('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE));
  let sequence = 0;
  return {
    request(what, type, flags, body) {
      sequence += 1;
      const message = bytes(HEADER + body.length);
      message.view.setUint32(0, message.length, true);
      message.view.setUint16(4, type, true);
      message.view.setUint16(6, flags | NLM_F_REQUEST | NLM_F_ACK, true);
      message.view.setUint32(8, sequence, true);
      message.set(body, HEADER);
      call('sendto', socket, message, message.length, 0, null, 0);
      return answerTo(what, call, socket);
    },
    close: () => void call('close', socket),
  };
}

/** Up to the acknowledgement, which is always there before `sendto` returns. */
function answerTo(what: string, call: Kernel['call'], socket: number): Buffer | undefined {
  let answer: Buffer | undefined;
  for (;;) {
    const space = bytes(32 * 1024);
    const received = call('recvfrom', socket, space, space.length, 0, null, null);
    for (let at = 0; at + HEADER <= received; ) {
      const length = space.view.getUint32(at, true);
      const body = Buffer.from(space.subarray(at + HEADER, at + length));
      if (space.view.getUint16(at + 4, true) === NLMSG_ERROR) {
        const errno = -body.readInt32LE(0);
        if (errno !== 0) throw new NetlinkError(what, errno);
        return answer;
      }
      answer = body;
      at += padded(length);
    }
  }
}

/** Calls `action` with a descriptor of the network namespace that the file `path` is. */
export function withNamespace<T>(path: string, action: (namespace: number) => T): T {
  const namespace = openSync(path, 'r');
  try {
    return action(namespace);
  } finally {
    closeSync(namespace);
  }
}

/**
 * Calls `action` in the network namespace that the file `path` is. Only this thread is there, and only until `action` returns: it must not leave
 * anything to be done later.
 */
export function insideNamespace<T>(path: string, action: () => T): T {
  const { call } = loadKernel();
  return withNamespace(OWN_NAMESPACE, (home) =>
    withNamespace(path, (namespace) => {
      call('setns', namespace, CLONE_NEWNET);
      try {
        return action();
      } finally {
        call('setns', home, CLONE_NEWNET);
      }
    }),
  );
}

/** Loads what takes 2 ms, for whoever has to wait anyway. Throws UNSUPPORTED. */
export async function prepareNetlink(): Promise<void> {
  loadKernel();
}

function loadKernel(): Kernel {
  try {
    return kernel();
  } catch (cause) {
    throw new OciError('UNSUPPORTED', 'networks need node:ffi, which this Node lacks', {
      hint: 'use Node 26 as it is published, or --network none or --network host',
      cause,
    });
  }
}

/** An attribute: its length, its type, its value, zeros up to a multiple of 4. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const made = Buffer.alloc(padded(4 + value.length));
  made.writeUInt16LE(4 + value.length, 0);
  made.writeUInt16LE(type, 2);
  made.set(value, 4);
  return made;
}

/** An attribute that holds others. */
export function nested(type: number, ...attributes: Uint8Array[]): Uint8Array {
  return attribute(type, Buffer.concat(attributes));
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
