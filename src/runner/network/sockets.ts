// Sockets that listen but are not watched: Node's own would accept at once, in the process that must only pass them on.
import { isIPv6 } from 'node:net';
import { OciError } from '../../errors.ts';

export interface Sockets {
  /** A socket bound to an address, listening when `tcp`; a negative errno when it cannot be. */
  open(address: string, port: number, protocol: 'tcp' | 'udp'): number;
  /** The port a socket is bound to. */
  portOf(descriptor: number): number;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** SOCK_CLOEXEC | SOCK_NONBLOCK */
const SOCK_FLAGS = 0o2004000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 511;
const EINVAL = 22;

let loaded: Sockets | undefined;

/** Loaded on first use. Throws UNSUPPORTED where Node has no FFI. */
export function sockets(): Sockets {
  loaded ??= load();
  return loaded;
}

function load(): Sockets {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return bind(process.getBuiltinModule('node:ffi'));
  } catch (error) {
    throw new OciError('UNSUPPORTED', 'published ports need node:ffi, which this Node lacks', {
      hint: 'use Node 26 as it is published, without --no-experimental-ffi',
      cause: error,
    });
  } finally {
    process.emitWarning = emitWarning;
  }
}

function bind(ffi: typeof import('node:ffi')): Sockets {
  const { functions: c } = ffi.dlopen(null, {
    socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
    setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
    bind: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
    listen: { return: 'int32', arguments: ['int32', 'int32'] },
    getsockname: { return: 'int32', arguments: ['int32', 'buffer', 'buffer'] },
    inet_pton: { return: 'int32', arguments: ['int32', 'buffer', 'buffer'] },
    close: { return: 'int32', arguments: ['int32'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
  const errno = (): number => ffi.getInt32(c.__errno_location(), 0);
  const one = Buffer.from([1, 0, 0, 0]);

  /** struct sockaddr_in and sockaddr_in6; undefined for what is no address. */
  function socketAddress(address: string, port: number): Buffer | undefined {
    const six = isIPv6(address);
    const bytes = Buffer.alloc(six ? 28 : 16);
    bytes.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
    bytes.writeUInt16BE(port, 2);
    const family = six ? AF_INET6 : AF_INET;
    const parsed = c.inet_pton(family, Buffer.from(`${address}\0`), bytes.subarray(six ? 8 : 4));
    return parsed === 1 ? bytes : undefined;
  }

  return {
    open(address, port, protocol) {
      const name = socketAddress(address, port);
      if (name === undefined) return -EINVAL;
      const family = name.readUInt16LE(0);
      const fd = c.socket(family, (protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_FLAGS, 0);
      if (fd < 0) return -errno();
      // Not for UDP, where it would share the port with a socket that is there.
      let failed = protocol === 'tcp' ? c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4) : 0;
      if (failed === 0 && family === AF_INET6) failed = c.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
      if (failed === 0) failed = c.bind(fd, name, name.length);
      if (failed === 0 && protocol === 'tcp') failed = c.listen(fd, BACKLOG);
      if (failed === 0) return fd;
      const code = errno();
      c.close(fd);
      return -code;
    },
    portOf(descriptor) {
      const name = Buffer.alloc(28);
      const length = Buffer.from([28, 0, 0, 0]);
      return c.getsockname(descriptor, name, length) === 0 ? name.readUInt16BE(2) : 0;
    },
  };
}
