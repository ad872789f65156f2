// Operations on the process as its program will find it: terminal, limits, directory, signals, and the program itself.
import { bytes, cString, failedWith, SystemCallError } from '../kernel.ts';
import { type Context, ensureInside, type Handlers, openHow, openInside, statusOf } from './context.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  CLOSE_RANGE_CLOEXEC,
  EACCES,
  EINVAL,
  ENOENT,
  ENOTDIR,
  EPERM,
  F_SETFD,
  LAST_SIGNAL,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  OPEN_TREE_CLONE,
  RESOLVE_NO_MAGICLINKS,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFSOCK,
  SIGKILL,
  SIGSTOP,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
} from './numbers.ts';

/** Whether a descriptor stands for a /dev/null, of whatever file system. */
function isNull(context: Context, descriptor: number): boolean {
  const { mode, major, minor } = statusOf(context, descriptor);
  return (mode & S_IFMT) === S_IFCHR && major === 1 && minor === 3;
}

export const processOperations: Handlers<
  | 'new-session'
  | 'terminal'
  | 'console'
  | 'limit'
  | 'umask'
  | 'own-null'
  | 'own-stdio'
  | 'working-directory'
  | 'reset-signals'
  | 'close-others'
  | 'execute'
> = {
  'new-session': ({ call }) => void call('setsid'),
  terminal(context) {
    const { call, starter } = context;
    const master = openInside(context, '/dev/pts/ptmx', { flags: O_RDWR | O_NOCTTY, links: false });
    const { mode, major, minor } = statusOf(context, master);
    if ((mode & S_IFMT) !== S_IFCHR || major !== 5 || minor !== 2)
      throw new Error('/dev/pts/ptmx is another file');
    call('ioctl', master, TIOCSPTLCK, bytes(4));
    const slave = call('ioctl', master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    context.report({ terminal: master });
    if (call('read', starter, bytes(1), 1) !== 1) call('exit_group', 1);
    call('close', master);
    call('ioctl', slave, TIOCSCTTY, 0);
    for (const descriptor of [0, 1, 2]) call('dup3', slave, descriptor, 0);
    call('close', slave);
  },
  console(context, { path }) {
    const { call } = context;
    const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH;
    const mount = call('open_tree', 0, '', flags);
    const target = ensureInside(context, path, 'file', { links: false });
    call('move_mount', mount, '', target, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    call('close', target);
  },
  'own-null'(context) {
    const { call } = context;
    for (const descriptor of [0, 1, 2]) {
      if (!isNull(context, descriptor)) continue;
      const own = openInside(context, '/dev/null', { flags: O_RDWR, links: false });
      if (!isNull(context, own)) throw new Error('/dev/null is another file');
      call('dup3', own, descriptor, 0);
      call('close', own);
    }
  },
  limit({ call }, { resource, soft, hard }) {
    const set = (most: bigint): void => {
      const limit = bytes(16);
      const least = (value: number): bigint => (BigInt(value) < most ? BigInt(value) : most);
      limit.view.setBigUint64(0, least(soft), true);
      limit.view.setBigUint64(8, least(hard), true);
      call('prlimit64', 0, resource, limit, null);
    };
    try {
      set(2n ** 64n - 1n);
    } catch (error) {
      if (!failedWith(error, EPERM)) throw error;
      const ours = bytes(16);
      call('prlimit64', 0, resource, null, ours);
      set(ours.view.getBigUint64(8, true));
    }
  },
  umask: ({ call }, { mask }) => void call('umask', mask),
  'own-stdio'(context, { uid, terminal }) {
    for (const descriptor of [0, 1, 2]) {
      const kind = statusOf(context, descriptor).mode & S_IFMT;
      if (!terminal && kind !== S_IFIFO && kind !== S_IFSOCK) continue;
      try {
        context.call('fchown', descriptor, uid, -1);
      } catch (error) {
        if (!failedWith(error, EPERM, EINVAL)) throw error;
      }
    }
  },
  'working-directory'(context, { path }) {
    // Not by name: /proc/self/fd/N may be a directory of the host (CVE-2024-21626), and is a magic link.
    const folder = openInside(context, path, { flags: O_PATH | O_DIRECTORY });
    context.call('fchdir', folder);
    context.call('close', folder);
  },
  'reset-signals'({ call }) {
    // Node ignores SIGPIPE, and what is ignored stays so in the program.
    const byDefault = bytes(32);
    for (let signal = 1; signal <= LAST_SIGNAL; signal++) {
      if (signal !== SIGKILL && signal !== SIGSTOP) call('rt_sigaction', signal, byDefault, null, 8);
    }
    const SIG_SETMASK = 2;
    call('rt_sigprocmask', SIG_SETMASK, bytes(8), null, 8);
  },
  'close-others'({ call }) {
    for (const descriptor of [0, 1, 2]) call('fcntl', descriptor, F_SETFD, 0);
    call('close_range', 3, 0xffffffff, CLOSE_RANGE_CLOEXEC);
  },
  execute(context, { args, env, searchPath }) {
    const [command = ''] = args;
    const candidates = command.includes('/') ? [command] : searchPath.map((folder) => `${folder}/${command}`);
    context.report({ executing: true });
    let refused: SystemCallError | undefined;
    for (const path of command === '' ? [] : candidates) {
      try {
        execute(context, path, args, env);
      } catch (error) {
        if (failedWith(error, ENOENT, ENOTDIR) && !isThere(context, path)) continue;
        // As execvp(3) has it: what may not be started here may be startable further on.
        if (!failedWith(error, EACCES)) throw error;
        refused ??= error;
      }
    }
    // As the look-up before execve says it: nothing is there.
    throw refused ?? new SystemCallError('openat2', ENOENT);
  },
};

function execute(context: Context, path: string, args: readonly string[], env: readonly string[]): void {
  const { call, kernel } = context;
  // /proc/self/exe and its like are ours or the host's, not the image's.
  call('close', openHow(context, AT_FDCWD, path, O_PATH, RESOLVE_NO_MAGICLINKS));
  const list = (texts: readonly string[]): Uint8Array => {
    const pointers = bytes((texts.length + 1) * 8);
    for (const [index, text] of texts.entries()) {
      pointers.view.setBigUint64(index * 8, kernel.address(cString(text)), true);
    }
    return pointers;
  };
  call('execve', path, list(args), list(env));
}

function isThere(context: Context, path: string): boolean {
  try {
    context.call('close', openHow(context, AT_FDCWD, path, O_PATH, 0));
    return true;
  } catch {
    return false;
  }
}
