// The system calls that the life of a container needs and `fs` and `child_process` lack, through node:ffi.
import { OciError } from '../errors.ts';

/** Numbers are errno unless said otherwise; 0 is success. */
export interface Libc {
  mount(source: string, target: string, type: string, flags: number, data?: string): number;
  /** Detaches: what still uses it keeps it. */
  unmount(target: string): number;
  /** Orphans below this process become its children, so that it learns how they end. */
  adoptOrphans(): number;
  /** Any child that has ended, with its raw wait status; undefined when none has. */
  waitAny(): { pid: number; status: number } | undefined;
  /** Takes O_NONBLOCK off a descriptor, which Node puts on pipes and a container does not expect. */
  makeBlocking(descriptor: number): void;
  /** Lets a descriptor pass through execve, or not. */
  setInherited(descriptor: number, inherited: boolean): void;
  /** Every byte goes through a terminal as it is; answers what to give `restoreTerminal`. Undefined for no terminal. */
  makeRaw(descriptor: number): Buffer | undefined;
  restoreTerminal(descriptor: number, settings: Buffer): void;
  setWindowSize(descriptor: number, rows: number, columns: number): number;
  /** Brings up the loopback of this process's network namespace. */
  raiseLoopback(): number;
  /** Ends this process at once: what Node would put in order takes milliseconds. */
  exitNow(code: number): void;
  /** A listening unix socket. Throws IO. */
  listenUnix(path: string): number;
  /** Accepts one connection and takes the descriptor it sends. Blocks until both are there. Throws IO. */
  receiveDescriptor(listener: number): number;
}

export const MS_NOSUID = 2;
export const MS_NODEV = 4;

const MNT_DETACH = 2;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETFD = 2;
const O_NONBLOCK = 0o4000;
const TIOCSWINSZ = 0x5414n;
const TCSADRAIN = 1;
const SIOCSIFFLAGS = 0x8914n;
const IFF_UP = 1;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const MSG_CMSG_CLOEXEC = 0x40000000;

let loaded: Libc | undefined;

/** Loaded on first use, 2 ms. Throws UNSUPPORTED where Node has no FFI. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return bind(process.getBuiltinModule('node:ffi'));
  } catch (error) {
    throw new OciError('UNSUPPORTED', 'containers need node:ffi, which this Node lacks', {
      hint: 'use Node 26 as it is published, without --no-experimental-ffi',
      cause: error,
    });
  } finally {
    process.emitWarning = emitWarning;
  }
}

function bind(ffi: typeof import('node:ffi')): Libc {
  const { functions: c } = ffi.dlopen(null, {
    mount: { return: 'int32', arguments: ['buffer', 'buffer', 'buffer', 'uint64', 'buffer'] },
    umount2: { return: 'int32', arguments: ['buffer', 'int32'] },
    prctl: { return: 'int32', arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'] },
    waitpid: { return: 'int32', arguments: ['int32', 'buffer', 'int32'] },
    fcntl: { return: 'int32', arguments: ['int32', 'int32', 'uint64'] },
    ioctl: { return: 'int32', arguments: ['int32', 'uint64', 'buffer'] },
    tcgetattr: { return: 'int32', arguments: ['int32', 'buffer'] },
    tcsetattr: { return: 'int32', arguments: ['int32', 'int32', 'buffer'] },
    cfmakeraw: { return: 'void', arguments: ['buffer'] },
    socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
    bind: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
    listen: { return: 'int32', arguments: ['int32', 'int32'] },
    accept: { return: 'int32', arguments: ['int32', 'uint64', 'uint64'] },
    recvmsg: { return: 'int64', arguments: ['int32', 'buffer', 'int32'] },
    close: { return: 'int32', arguments: ['int32'] },
    _exit: { return: 'void', arguments: ['int32'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
  const lastErrno = (): number => ffi.getInt32(c.__errno_location(), 0);
  const errno = (result: number): number => (result === -1 ? lastErrno() : 0);
  const check = (result: number, what: string): number => {
    if (result === -1) throw new OciError('IO', `${what}: errno ${lastErrno()}`);
    return result;
  };
  return {
    mount: (source, target, type, flags, data = '') =>
      errno(c.mount(cString(source), cString(target), cString(type), BigInt(flags), cString(data))),
    unmount: (target) => errno(c.umount2(cString(target), MNT_DETACH)),
    adoptOrphans: () => errno(c.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n)),
    waitAny() {
      const status = Buffer.alloc(4);
      const pid = c.waitpid(-1, status, WNOHANG);
      return pid > 0 ? { pid, status: status.readInt32LE(0) } : undefined;
    },
    makeBlocking(descriptor) {
      const flags = c.fcntl(descriptor, F_GETFL, 0n);
      if (flags !== -1 && (flags & O_NONBLOCK) !== 0) {
        c.fcntl(descriptor, F_SETFL, BigInt(flags & ~O_NONBLOCK));
      }
    },
    setInherited(descriptor, inherited) {
      check(c.fcntl(descriptor, F_SETFD, inherited ? 0n : 1n), `descriptor ${descriptor}`);
    },
    makeRaw(descriptor) {
      // A termios of any C library fits.
      const settings = Buffer.alloc(256);
      if (c.tcgetattr(descriptor, settings) !== 0) return undefined;
      const raw = Buffer.from(settings);
      c.cfmakeraw(raw);
      c.tcsetattr(descriptor, TCSADRAIN, raw);
      return settings;
    },
    restoreTerminal(descriptor, settings) {
      c.tcsetattr(descriptor, TCSADRAIN, settings);
    },
    setWindowSize(descriptor, rows, columns) {
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      return errno(c.ioctl(descriptor, TIOCSWINSZ, size));
    },
    raiseLoopback() {
      const socket = check(c.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket');
      // struct ifreq: a name of 16 bytes, the flags.
      const request = Buffer.alloc(40);
      request.write('lo');
      request.writeUInt16LE(IFF_UP, 16);
      const failed = errno(c.ioctl(socket, SIOCSIFFLAGS, request));
      c.close(socket);
      return failed;
    },
    exitNow: (code) => c._exit(code),
    listenUnix(path) {
      const listener = check(c.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0), 'socket');
      const address = Buffer.alloc(110);
      address.writeUInt16LE(AF_UNIX, 0);
      if (address.write(path, 2) > 107) throw new OciError('IO', `${path}: too long for a socket`);
      check(c.bind(listener, address, address.length), path);
      check(c.listen(listener, 1), path);
      return listener;
    },
    receiveDescriptor(listener) {
      const connection = check(c.accept(listener, 0n, 0n), 'accept');
      try {
        // struct iovec, cmsghdr with one int, msghdr (64-bit layouts).
        const data = Buffer.alloc(4096);
        const iovec = Buffer.alloc(16);
        iovec.writeBigUInt64LE(BigInt(ffi.getRawPointer(data)), 0);
        iovec.writeBigUInt64LE(BigInt(data.length), 8);
        const control = Buffer.alloc(24);
        const header = Buffer.alloc(56);
        header.writeBigUInt64LE(BigInt(ffi.getRawPointer(iovec)), 16);
        header.writeBigUInt64LE(1n, 24);
        header.writeBigUInt64LE(BigInt(ffi.getRawPointer(control)), 32);
        header.writeBigUInt64LE(BigInt(control.length), 40);
        check(Number(c.recvmsg(connection, header, MSG_CMSG_CLOEXEC)), 'recvmsg');
        if (header.readBigUInt64LE(40) < 20n) throw new OciError('IO', 'no terminal came');
        return control.readInt32LE(16);
      } finally {
        c.close(connection);
      }
    },
  };
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
