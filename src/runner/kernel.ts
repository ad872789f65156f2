// System calls by number, through node:ffi. By number and not by the C library's wrappers for two reasons: the mount
// calls are younger than the C libraries in use, and the wrappers of setuid(2) and its kin act on all threads, where
// the init means its own, the only one that survives execve.
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** x86-64, then arm64 (the kernel's syscall_64.tbl and asm-generic/unistd.h). */
const NUMBERS = {
  read: [0, 63],
  write: [1, 64],
  close: [3, 57],
  lseek: [8, 62],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  ioctl: [16, 29],
  socket: [41, 198],
  sendto: [44, 206],
  recvfrom: [45, 207],
  socketpair: [53, 199],
  execve: [59, 221],
  wait4: [61, 260],
  fcntl: [72, 25],
  chdir: [80, 49],
  fchdir: [81, 50],
  fchown: [93, 55],
  umask: [95, 166],
  setsid: [112, 157],
  setgroups: [116, 159],
  setresuid: [117, 147],
  setresgid: [119, 149],
  capset: [126, 91],
  pivot_root: [155, 41],
  prctl: [157, 167],
  mount: [165, 40],
  umount2: [166, 39],
  sethostname: [170, 161],
  exit_group: [231, 94],
  keyctl: [250, 219],
  openat: [257, 56],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  fchownat: [260, 54],
  symlinkat: [266, 36],
  readlinkat: [267, 78],
  fchmodat: [268, 53],
  ppoll: [271, 73],
  unshare: [272, 97],
  dup3: [292, 24],
  prlimit64: [302, 261],
  setns: [308, 268],
  seccomp: [317, 277],
  memfd_create: [319, 279],
  statx: [332, 291],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  pidfd_open: [434, 434],
  close_range: [436, 436],
  openat2: [437, 437],
  pidfd_getfd: [438, 438],
  mount_setattr: [442, 442],
} as const satisfies Record<string, readonly [number, number]>;

export type CallName = keyof typeof NUMBERS;

/** Text goes as UTF-8 ending in NUL, bytes by their address, `null` as no address. */
export type Argument = number | bigint | string | Uint8Array | null;

export interface Kernel {
  /** The call's result. Throws SystemCallError. */
  call(name: CallName, ...args: Argument[]): number;
  /** Where bytes are, for structures that point at others. They stay in memory until the next call has returned. */
  address(bytes: Uint8Array): bigint;
  /** A function of the C library, for the few things that are no system call. */
  library: ReturnType<Ffi['dlopen']>['lib'];
}

type Ffi = typeof import('node:ffi');

/** A system call that failed. */
export class SystemCallError extends Error {
  readonly call: CallName;
  readonly errno: number;

  constructor(call: CallName, errno: number) {
    super(`${call}: ${errorName(errno)}`);
    this.call = call;
    this.errno = errno;
  }
}

/** `ENOENT` of 2. */
export function errorName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}

/** True for the failure of a system call, with one of the given errnos. */
export function failedWith(error: unknown, ...errnos: number[]): error is SystemCallError {
  return error instanceof SystemCallError && errnos.includes(error.errno);
}

let opened: Kernel | undefined;

/** Loaded on first use. Throws an Error that says why not. */
export function kernel(): Kernel {
  opened ??= open();
  return opened;
}

function open(): Kernel {
  const column = process.arch === 'x64' ? 0 : process.arch === 'arm64' ? 1 : undefined;
  if (process.platform !== 'linux' || column === undefined || endianness() !== 'LE') {
    throw new Error(`it is for Linux on x86-64 and arm64, not ${process.platform} on ${process.arch}`);
  }
  const ffi = loadFfi();
  const { functions, lib } = ffi.dlopen(null, {
    // Variadic in C; every argument of ours is a whole register, which both architectures pass as if it were not.
    syscall: { return: 'int64', arguments: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
  // Held until the call returned: V8 frees what nothing names, and an address is not a name to it.
  let held: Uint8Array[] = [];
  const address = (bytes: Uint8Array): bigint => {
    held.push(bytes);
    return bytes.length === 0 ? 0n : BigInt(ffi.getRawPointer(bytes));
  };
  const register = (argument: Argument = 0): bigint => {
    if (argument === null) return 0n;
    if (typeof argument === 'string') return address(cString(argument));
    if (typeof argument === 'object') return address(argument);
    return BigInt(argument);
  };
  return {
    call(name, ...args) {
      const [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map((index) => register(args[index])) as Registers;
      const result = Number(functions.syscall(BigInt(NUMBERS[name][column]), a, b, c, d, e, f));
      const errno = result === -1 ? ffi.getInt32(functions.__errno_location(), 0) : 0;
      held = [];
      if (result === -1) throw new SystemCallError(name, errno);
      return result;
    },
    address,
    library: lib,
  };
}

type Registers = [bigint, bigint, bigint, bigint, bigint, bigint];

/** Without the warning that FFI is experimental: the program's user can do nothing about it. */
function loadFfi(): Ffi {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi');
    if (ffi === undefined) throw new Error('this Node has no node:ffi; it takes Node 26.1 or later');
    return ffi;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** UTF-8 and a NUL, in memory that V8 does not move. Throws for text with a NUL in it: C would see half of it. */
export function cString(text: string): Uint8Array {
  if (text.includes('\0')) throw new Error('text with a NUL');
  return bytes(new TextEncoder().encode(`${text}\0`));
}

/** A copy of bytes, or so many zeros, in memory that V8 does not move. */
export function bytes(content: Uint8Array | number): Uint8Array & { view: DataView } {
  const size = typeof content === 'number' ? content : content.length;
  const array = new Uint8Array(new ArrayBuffer(size));
  if (typeof content !== 'number') array.set(content);
  return Object.assign(array, { view: new DataView(array.buffer) });
}
