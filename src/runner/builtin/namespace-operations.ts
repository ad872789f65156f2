// Operations on the process as the kernel sees it from outside: its namespaces, cgroups, and who may look at it.
import { bytes, failedWith } from '../kernel.ts';
import { type Context, type Handlers, writeHostFile } from './context.ts';
import {
  AT_FDCWD,
  CLONE_FS,
  EACCES,
  EINVAL,
  ENOSYS,
  EPERM,
  IFF_UP,
  KEYCTL_JOIN_SESSION_KEYRING,
  NAMESPACE_FLAGS,
  O_CLOEXEC,
  POLLHUP,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  SIGKILL,
  SIOCGIFFLAGS,
  SIOCSIFFLAGS,
} from './numbers.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const EDQUOT = 122;

export const namespaceOperations: Handlers<
  | 'die-with-starter'
  | 'hide-from-others'
  | 'new-keyring'
  | 'oom-score'
  | 'enter-cgroup'
  | 'unshare'
  | 'join-path'
  | 'join-container'
  | 'loopback-up'
  | 'hostname'
> = {
  'die-with-starter'(context) {
    context.call('prctl', PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // It may have died before: then nobody holds the other end of the socket.
    if (isClosed(context, context.starter)) context.call('exit_group', 1);
  },
  'hide-from-others': ({ call }) => void call('prctl', PR_SET_DUMPABLE, 0, 0, 0, 0),
  'new-keyring'({ call }) {
    try {
      call('keyctl', KEYCTL_JOIN_SESSION_KEYRING, null, 0, 0, 0);
    } catch (error) {
      // No keyrings here, for which another container's filter says EPERM; or no room for one more, as with many
      // containers of one user. Then our own filter, which has no keyctl, is what keeps the starter's keys.
      if (!failedWith(error, ENOSYS, EPERM, EDQUOT)) throw error;
    }
  },
  'oom-score'(context, { value }) {
    try {
      writeHostFile(context, '/proc/self/oom_score_adj', String(value));
    } catch (error) {
      // Lowering takes CAP_SYS_RESOURCE, which a user namespace does not give.
      if (!failedWith(error, EACCES, EPERM)) throw error;
    }
  },
  'enter-cgroup': (context, { file }) => writeHostFile(context, file, '0'),
  unshare({ call }, { namespaces }) {
    call(
      'unshare',
      namespaces.reduce((flags, name) => flags | NAMESPACE_FLAGS[name], 0),
    );
  },
  'join-path'({ call }, { namespace, path }) {
    const descriptor = call('openat', AT_FDCWD, path, O_CLOEXEC, 0);
    call('setns', descriptor, NAMESPACE_FLAGS[namespace]);
    call('close', descriptor);
  },
  'join-container'({ call, container }, { namespaces }) {
    for (const name of namespaces) {
      // Root and working directory are shared with Node's other threads until we say otherwise.
      if (name === 'mount') call('unshare', CLONE_FS);
      try {
        call('setns', container, NAMESPACE_FLAGS[name]);
      } catch (error) {
        // A kernel built without that kind of namespace.
        if (!failedWith(error, EINVAL) || name === 'mount') throw error;
      }
    }
  },
  'loopback-up'({ call }) {
    const socket = call('socket', AF_INET, SOCK_DGRAM_CLOEXEC, 0);
    const request = bytes(40);
    request.set(new TextEncoder().encode('lo'));
    call('ioctl', socket, SIOCGIFFLAGS, request);
    request.view.setInt16(16, request.view.getInt16(16, true) | IFF_UP, true);
    call('ioctl', socket, SIOCSIFFLAGS, request);
    call('close', socket);
  },
  hostname({ call }, { name }) {
    const text = new TextEncoder().encode(name);
    call('sethostname', bytes(text), text.length);
  },
};

function isClosed({ call }: Context, socket: number): boolean {
  const poll = bytes(8);
  poll.view.setInt32(0, socket, true);
  call('ppoll', poll, 1, bytes(16), null, 0);
  return (poll.view.getInt16(6, true) & POLLHUP) !== 0;
}
