// A container's root file system: the image's tree below, a private layer above. Where the kernel refuses an overlay
// (the store lies on one itself, or the kernel is too old for it in a user namespace), the tree is copied.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { OciError } from '../../errors.ts';
import type { ContainerPaths } from '../container.ts';
import { libc } from '../libc.ts';

export interface MountedRootfs {
  kind: 'overlay' | 'copy';
  /** Why it is a copy. */
  note?: string;
}

/**
 * Makes `paths.rootfs`, in this process's mount namespace. `passing`: what the container writes goes when it ends. The
 * process's working directory becomes the container's folder: relative paths keep commas and colons of the store's path
 * out of the options, which are one page at most. Throws DISK_FULL, RUNTIME_FAILED.
 */
export function mountRootfs(
  paths: ContainerPaths,
  tree: string,
  { rootless, passing }: { rootless: boolean; passing: boolean },
): MountedRootfs {
  process.chdir(paths.folder);
  for (const folder of ['upper', 'work', 'rootfs']) mkdirSync(folder);
  // The merged root looks like its upper directory.
  const { mode, uid, gid } = statSync(tree);
  chownSync('upper', uid, gid);
  chmodSync('upper', mode & 0o7777);
  const options = [
    `lowerdir=${relative(paths.folder, tree)}`,
    'upperdir=upper',
    'workdir=work',
    // What only overlayfs understands must not get into the upper directory; with userxattr it does not.
    ...(rootless ? ['userxattr'] : ['redirect_dir=off', 'metacopy=off']),
  ];
  const mount = (more: string[]): number =>
    libc().mount('overlay', 'rootfs', 'overlay', 0, [...options, ...more].join(','));
  // Otherwise unmounting waits until the disk has all that anybody on this file system has written.
  let errno = mount(passing ? ['volatile'] : []);
  // Kernels before 5.10 do not know it.
  if (errno !== 0 && passing) errno = mount([]);
  if (errno === 0) return { kind: 'overlay' };
  copyTree(tree);
  return {
    kind: 'copy',
    note: `the root file system is copied: the kernel refuses an overlay here (${getSystemErrorName(-errno)})`,
  };
}

/** Extents are shared where the file system can. */
function copyTree(tree: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', '--reflink=auto', `${tree}/.`, 'rootfs'], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status === 0) return;
  const line = stderr.trim().split('\n')[0] ?? '';
  throw new OciError(
    /no space left/i.test(line) ? 'DISK_FULL' : 'RUNTIME_FAILED',
    `cannot copy the root file system: ${line}`,
  );
}
