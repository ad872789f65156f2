// Starts the init as a direct child, so that its end is known exactly, and in the pid namespace it belongs to. Not with
// `child_process`: that gives 0 for a death by a real-time signal, and its pipes are not blocking.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { OciError } from '../../errors.ts';
import type { ExitStatus } from '../driver.ts';
import { bytes, cString, failedWith, kernel, SystemCallError } from '../kernel.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  ECHILD,
  F_DUPFD_CLOEXEC,
  MOUNT_ATTRIBUTES,
  NAMESPACE_FLAGS,
  O_CLOEXEC,
  OPEN_TREE_CLONE,
} from './numbers.ts';
import { CONTAINER_FD } from './report.ts';

export interface Spawn {
  /** Of the file with the init's order. */
  order: number;
  /** The init's end of the socket. */
  socket: number;
  stdio: readonly [number, number, number];
  /** `new`, the starter's own, or that of the process the pidfd is of. */
  pidNamespace: 'new' | 'own' | { pidfd: number };
}

export interface Spawned {
  pid: number;
  exited: Promise<ExitStatus>;
}

/** What Node is started with: no inspector for a stray SIGUSR1, and nothing on stderr, which is the container's. */
const NODE_OPTIONS = ['--no-warnings', '--disable-sigusr1', '--v8-pool-size=0'];
/** Nothing of the starter's. io_uring would do file operations in threads of the kernel with other credentials. */
const ENVIRONMENT = ['UV_USE_IO_URING=0'];

/** Starts the init. The descriptors given stay the caller's. Throws SystemCallError, or RUNTIME_FAILED without an init. */
export function spawnInit({ order, socket, stdio, pidNamespace }: Spawn): Spawned {
  // In the order that report.ts numbers them.
  const passed = [...stdio, order, socket, ...(typeof pidNamespace === 'object' ? [pidNamespace.pidfd] : [])];
  const program = sealedNode();
  try {
    const args = ['ocitool-init', ...NODE_OPTIONS, initFile()];
    const pid = inPidNamespace(pidNamespace, () => posixSpawn(`/proc/self/fd/${program}`, args, passed));
    return { pid, exited: exitOf(pid) };
  } finally {
    kernel().call('close', program);
  }
}

/**
 * Our own program through a read-only mount of its own. The container's first process is Node for a moment; an image
 * that gets hold of /proc/self/exe (as interpreter of a script, say) must not write to the host's Node (CVE-2019-5736).
 */
function sealedNode(): number {
  const { call } = kernel();
  const program = call('open_tree', AT_FDCWD, process.execPath, OPEN_TREE_CLONE | O_CLOEXEC);
  const attributes = bytes(32);
  attributes.view.setBigUint64(0, BigInt(MOUNT_ATTRIBUTES.ro | MOUNT_ATTRIBUTES.nosuid), true);
  call('mount_setattr', program, '', AT_EMPTY_PATH, attributes, attributes.length);
  return program;
}

/** Beside this file; in the bundle, where this is part of a chunk or of a command, a file made for it. */
function initFile(): string {
  const candidates = import.meta.url.endsWith('.ts')
    ? ['./container-init.ts']
    : ['./container-init.cjs', '../container-init.cjs', './container-init.js'];
  const found = candidates.map((name) => fileURLToPath(new URL(name, import.meta.url))).find(existsSync);
  if (found === undefined) throw new OciError('RUNTIME_FAILED', 'the built-in runtime lacks its init file');
  return found;
}

/**
 * Calls `action`, whose children are then born in that pid namespace. For a moment this thread can have no new threads
 * beside it, so nothing asynchronous may happen in `action`.
 */
function inPidNamespace<T>(which: Spawn['pidNamespace'], action: () => T): T {
  if (which === 'own') return action();
  const { call } = kernel();
  const own = call('openat', AT_FDCWD, '/proc/self/ns/pid', O_CLOEXEC, 0);
  try {
    if (which === 'new') call('unshare', NAMESPACE_FLAGS.pid);
    else call('setns', which.pidfd, NAMESPACE_FLAGS.pid);
    try {
      return action();
    } finally {
      call('setns', own, NAMESPACE_FLAGS.pid);
    }
  } finally {
    call('close', own);
  }
}

/** posix_spawn(3) with `passed` as the descriptors 0, 1, 2, …, no signal blocked and none ignored. */
function posixSpawn(path: string, args: readonly string[], passed: readonly number[]): number {
  const { call, library, address } = kernel();
  const spawn = library.getFunctions({
    posix_spawn: { return: 'int32', arguments: ['buffer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer'] },
    posix_spawn_file_actions_init: { return: 'int32', arguments: ['buffer'] },
    posix_spawn_file_actions_adddup2: { return: 'int32', arguments: ['buffer', 'int32', 'int32'] },
    posix_spawn_file_actions_destroy: { return: 'int32', arguments: ['buffer'] },
    posix_spawnattr_init: { return: 'int32', arguments: ['buffer'] },
    posix_spawnattr_setflags: { return: 'int32', arguments: ['buffer', 'int16'] },
    posix_spawnattr_setsigdefault: { return: 'int32', arguments: ['buffer', 'buffer'] },
    posix_spawnattr_destroy: { return: 'int32', arguments: ['buffer'] },
  });
  // Both structures are below 400 bytes in glibc and musl.
  const actions = bytes(1024);
  const attributes = bytes(1024);
  spawn.posix_spawn_file_actions_init(actions);
  spawn.posix_spawnattr_init(attributes);
  // Copied out of the way first: a target's number may be the source of a later one.
  const copies = passed.map((descriptor) => call('fcntl', descriptor, F_DUPFD_CLOEXEC, CONTAINER_FD + 5));
  try {
    for (const [index, copy] of copies.entries()) {
      spawn.posix_spawn_file_actions_adddup2(actions, copy, index);
    }
    const SETSIGDEF = 4;
    const SETSIGMASK = 8;
    spawn.posix_spawnattr_setflags(attributes, SETSIGDEF | SETSIGMASK);
    spawn.posix_spawnattr_setsigdefault(attributes, bytes(128).fill(0xff));
    const list = (texts: readonly string[]): Uint8Array => {
      const pointers = bytes((texts.length + 1) * 8);
      for (const [index, text] of texts.entries()) {
        pointers.view.setBigUint64(index * 8, address(cString(text)), true);
      }
      return pointers;
    };
    const pid = bytes(4);
    const errno = spawn.posix_spawn(pid, cString(path), actions, attributes, list(args), list(ENVIRONMENT));
    if (errno !== 0) throw new SystemCallError('execve', errno);
    return pid.view.getInt32(0, true);
  } finally {
    for (const copy of copies) call('close', copy);
    spawn.posix_spawn_file_actions_destroy(actions);
    spawn.posix_spawnattr_destroy(attributes);
  }
}

/** Waits for a child's end. Holds the event loop until then. */
function exitOf(pid: number): Promise<ExitStatus> {
  const { promise, resolve } = Promise.withResolvers<ExitStatus>();
  const check = (): void => {
    const status = waitStatus(pid);
    if (status === undefined) return;
    clearInterval(timer);
    process.off('SIGCHLD', check);
    resolve(status);
  };
  // The signal is what wakes us; the timer holds the event loop, and is there if somebody takes the signal away.
  const timer = setInterval(check, 1000);
  process.on('SIGCHLD', check);
  check();
  return promise;
}

function waitStatus(pid: number): ExitStatus | undefined {
  const WNOHANG = 1;
  const status = bytes(4);
  try {
    if (kernel().call('wait4', pid, status, WNOHANG, null) === 0) return undefined;
  } catch (error) {
    // Somebody else has waited for our child; its end is lost.
    if (failedWith(error, ECHILD)) return { code: 125 };
    throw error;
  }
  return exitStatus(status.view.getInt32(0, true));
}

/** Of a wait status. Signals that Node has no name for count as a shell has them. */
export function exitStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  if (signal === 0) return { code: (status >> 8) & 0xff };
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return name === undefined ? { code: 128 + signal } : { signal: name as NodeJS.Signals };
}
