// The few system calls `fs` lacks, through node:ffi: device nodes, extended attributes, times to the nanosecond.
// Where a build of Node has no FFI (or forbids it), callers fall back to tools or do without.
import { endianness } from 'node:os';

/** C functions, by their own names. Numbers are errno; 0 is success. Paths are bytes without a NUL. */
export interface Syscalls {
  mknod(path: Buffer, mode: number, device: bigint): number;
  lsetxattr(path: Buffer, name: Buffer, value: Uint8Array): number;
  /** Sets both times to the given one. Does not follow a symlink. */
  utimensat(path: Buffer, seconds: number, nanos: number): number;
  futimens(descriptor: number, seconds: number, nanos: number): number;
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

let loaded: Syscalls | undefined | 'not yet' = 'not yet';

/** The system calls, or undefined where they cannot be had. Loaded on first use. */
export function syscalls(): Syscalls | undefined {
  if (loaded === 'not yet') loaded = load();
  return loaded;
}

function load(): Syscalls | undefined {
  if (process.platform !== 'linux' || endianness() !== 'LE') return undefined;
  try {
    return bind(quietly(() => process.getBuiltinModule('node:ffi')));
  } catch {
    return undefined;
  }
}

/** Runs `action` without the warning that what it loads is experimental: the program's user can do nothing about it. */
function quietly<T>(action: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return action();
  } finally {
    process.emitWarning = emitWarning;
  }
}

function bind(ffi: typeof import('node:ffi')): Syscalls {
  const { functions: libc } = ffi.dlopen(null, {
    mknod: { return: 'int32', arguments: ['buffer', 'uint32', 'uint64'] },
    lsetxattr: { return: 'int32', arguments: ['buffer', 'buffer', 'buffer', 'uint64', 'int32'] },
    utimensat: { return: 'int32', arguments: ['int32', 'buffer', 'buffer', 'int32'] },
    futimens: { return: 'int32', arguments: ['int32', 'buffer'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
  const errno = (result: number): number => (result === 0 ? 0 : ffi.getInt32(libc.__errno_location(), 0));
  const times = Buffer.alloc(32);
  const setTimes = (seconds: number, nanos: number): Buffer => {
    for (const at of [0, 16]) {
      times.writeBigInt64LE(BigInt(seconds), at);
      times.writeBigInt64LE(BigInt(nanos), at + 8);
    }
    return times;
  };
  return {
    mknod: (path, mode, device) => errno(libc.mknod(cString(path), mode, device)),
    lsetxattr: (path, name, value) =>
      errno(libc.lsetxattr(cString(path), cString(name), Buffer.from(value), BigInt(value.length), 0)),
    utimensat: (path, seconds, nanos) =>
      errno(libc.utimensat(AT_FDCWD, cString(path), setTimes(seconds, nanos), AT_SYMLINK_NOFOLLOW)),
    futimens: (descriptor, seconds, nanos) => errno(libc.futimens(descriptor, setTimes(seconds, nanos))),
  };
}

function cString(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}
