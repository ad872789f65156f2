// Operations on mounts. Each mount is made detached (fsmount or a clone), gets its attributes while nobody sees it, and
// is then moved to a target that was opened by looking it up below the container's root.
import { bytes, failedWith } from '../kernel.ts';
import {
  type Context,
  ensureInside,
  type Handlers,
  openHow,
  openInside,
  openParent,
  statusOf,
  writeFile,
} from './context.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  EEXIST,
  ENOENT,
  ENOTDIR,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOUNT_ATTRIBUTES,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_REC,
  O_CLOEXEC,
  O_PATH,
  O_WRONLY,
  OPEN_TREE_CLONE,
  PROPAGATION,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
} from './numbers.ts';
import type { Attribute, Slot } from './operation.ts';

export const mountOperations: Handlers<
  | 'stop-propagation'
  | 'open-root'
  | 'make'
  | 'clone'
  | 'pivot'
  | 'open-current-root'
  | 'attach'
  | 'device'
  | 'link'
  | 'sysctl'
  | 'read-only'
  | 'mask'
  | 'make-directory'
  | 'seal-root'
> = {
  'stop-propagation': ({ call }, { to }) =>
    void call('mount', null, '/', null, MS_REC | PROPAGATION[to], null),
  'open-root'(context, { path, attributes }) {
    const { call } = context;
    context.root = cloneTree(context, AT_FDCWD, path, true);
    change(context, context.root, attributes, { recursive: true });
    // pivot_root wants a mount point.
    call('move_mount', context.root, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
  },
  make(context, { slot, type, source, settings, attributes }) {
    const { call, slots } = context;
    const filesystem = call('fsopen', type, FSOPEN_CLOEXEC);
    call('fsconfig', filesystem, FSCONFIG_SET_STRING, 'source', source, 0);
    for (const [key, value] of settings) {
      if (value === undefined) call('fsconfig', filesystem, FSCONFIG_SET_FLAG, key, null, 0);
      else call('fsconfig', filesystem, FSCONFIG_SET_STRING, key, value, 0);
    }
    call('fsconfig', filesystem, FSCONFIG_CMD_CREATE, null, null, 0);
    slots.set(slot, call('fsmount', filesystem, FSMOUNT_CLOEXEC, bits(attributes)));
    call('close', filesystem);
  },
  clone(context, { slot, source, recursive }) {
    context.slots.set(slot, cloneTree(context, AT_FDCWD, source, recursive));
  },
  pivot({ call, root }) {
    call('fchdir', root);
    // The old root is now mounted over the new one, where `..` of the root would lead into it: take it away at once.
    call('pivot_root', '.', '.');
    call('umount2', '.', MNT_DETACH);
    call('chdir', '/');
  },
  'open-current-root'(context) {
    context.root = context.call('openat', AT_FDCWD, '/', O_PATH | O_CLOEXEC, 0);
  },
  attach(context, { slot, target, links, attributes, nodev, recursive, propagation }) {
    const mount = take(context, slot);
    const kind = statusOf(context, mount).mode & S_IFMT;
    const isDevice = kind === S_IFCHR || kind === S_IFBLK;
    change(context, mount, [...attributes, ...(nodev && !isDevice ? (['nodev'] as const) : [])], {
      recursive,
      propagation: PROPAGATION[propagation],
    });
    move(context, mount, ensureInside(context, target, kind === S_IFDIR ? 'directory' : 'file', { links }));
  },
  device(context, { path, type, major, minor, mode, uid, gid }) {
    const { call } = context;
    const [folder, name] = openParent(context, path);
    const kind = { c: S_IFCHR, b: S_IFBLK, p: S_IFIFO }[type];
    call('mknodat', folder, name, kind | mode, type === 'p' ? 0 : deviceNumber(major, minor));
    // The umask took bits of the mode.
    call('fchmodat', folder, name, mode);
    call('fchownat', folder, name, uid, gid, 0);
    call('close', folder);
  },
  link(context, { path, target }) {
    const [folder, name] = openParent(context, path);
    try {
      context.call('symlinkat', target, folder, name);
    } catch (error) {
      if (!failedWith(error, EEXIST)) throw error;
    }
    context.call('close', folder);
  },
  sysctl(context, { slot, name, value }) {
    const proc = context.slots.get(slot) ?? -1;
    const path = `sys/${name.replaceAll('.', '/')}`;
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    writeFile(context, openHow(context, proc, path, O_WRONLY, resolve), value);
  },
  'read-only'(context, { path }) {
    const target = openIfThere(context, path);
    if (target === undefined) return;
    const tree = cloneTree(context, target, '', true);
    change(context, tree, ['ro'], { recursive: true });
    move(context, tree, target);
  },
  mask(context, { path }) {
    const target = openIfThere(context, path);
    if (target === undefined) return;
    const isDirectory = (statusOf(context, target).mode & S_IFMT) === S_IFDIR;
    move(context, isDirectory ? emptyDirectory(context) : nullDevice(context), target);
  },
  'make-directory': (context, { path }) =>
    void context.call('close', ensureInside(context, path, 'directory', {})),
  'seal-root': (context) => change(context, context.root, ['ro'], {}),
};

/** A copy of the mount that has `path` as its root, attached nowhere. */
function cloneTree({ call }: Context, folder: number, path: string, recursive: boolean): number {
  const flags =
    OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (path === '' ? AT_EMPTY_PATH : 0);
  return call('open_tree', folder, path, flags);
}

/** mount_setattr(2): adds attributes, never takes any away. */
function change(
  { call }: Context,
  mount: number,
  attributes: readonly Attribute[],
  { recursive = false, propagation = 0 }: { recursive?: boolean; propagation?: number },
): void {
  const settings = bytes(32);
  settings.view.setBigUint64(0, BigInt(bits(attributes)), true);
  // One bit of the two for access times cannot be set without both being cleared.
  const ATIME = 0x70;
  if ((bits(attributes) & ATIME) !== 0) settings.view.setBigUint64(8, BigInt(ATIME), true);
  settings.view.setBigUint64(16, BigInt(propagation), true);
  call('mount_setattr', mount, '', AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), settings, settings.length);
}

function bits(attributes: readonly Attribute[]): number {
  return attributes.reduce((sum, name) => sum | MOUNT_ATTRIBUTES[name], 0);
}

/** Moves a detached mount over an opened target, and closes the target. The mount stays open. */
function move({ call }: Context, mount: number, target: number): void {
  call('move_mount', mount, '', target, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  call('close', target);
}

function take({ slots }: Context, slot: Slot): number {
  const mount = slots.get(slot);
  if (mount === undefined) throw new Error(`nothing was made for ${slot}`);
  return mount;
}

function openIfThere(context: Context, path: string): number | undefined {
  try {
    return openInside(context, path, { links: false });
  } catch (error) {
    if (failedWith(error, ENOENT, ENOTDIR)) return undefined;
    throw error;
  }
}

function emptyDirectory(context: Context): number {
  const { call } = context;
  const filesystem = call('fsopen', 'tmpfs', FSOPEN_CLOEXEC);
  for (const [key, value] of [
    ['size', '4k'],
    ['mode', '755'],
  ] as const) {
    call('fsconfig', filesystem, FSCONFIG_SET_STRING, key, value, 0);
  }
  call('fsconfig', filesystem, FSCONFIG_CMD_CREATE, null, null, 0);
  const mount = call('fsmount', filesystem, FSMOUNT_CLOEXEC, bits(['ro', 'nosuid', 'nodev', 'noexec']));
  call('close', filesystem);
  return mount;
}

/** A copy of the container's /dev/null, which must be that device. */
function nullDevice(context: Context): number {
  const device = openInside(context, '/dev/null', { links: false });
  const { mode, major, minor } = statusOf(context, device);
  if ((mode & S_IFMT) !== S_IFCHR || major !== 1 || minor !== 3) throw new Error('/dev/null is another file');
  return cloneTree(context, device, '', false);
}

/** makedev(3). */
function deviceNumber(major: number, minor: number): number {
  return ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
}
