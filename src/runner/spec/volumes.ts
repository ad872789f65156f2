// Which folders a container needs besides its root: the volumes asked for by name, and those its image declares.
import { posix } from 'node:path';
import type { RunConfig } from '../../manifest/config.ts';
import type { RunRequest } from './run-request.ts';

/** A folder that whoever starts the container has to have ready, filled from the image when it is new. */
export interface VolumeNeed {
  /** Absolute, normalised, inside the container. */
  target: string;
  /** Undefined: an anonymous one, which goes with the container. */
  name?: string;
  readonly: boolean;
}

/** Volumes by name as asked, then the image's own where nothing else is mounted. A new one begins as a copy of what the image has at `target`. */
export function volumesNeeded(image: RunConfig, request: Pick<RunRequest, 'mounts'>): VolumeNeed[] {
  const needs: VolumeNeed[] = [];
  const taken = new Set<string>();
  for (const mount of request.mounts) {
    const target = normalTarget(mount.target);
    taken.add(target);
    if (mount.kind === 'volume') {
      const { name, readonly } = mount;
      needs.push({ target, readonly, ...(name !== undefined && { name }) });
    }
  }
  for (const path of Object.keys(image.Volumes ?? {})) {
    const target = normalTarget(path);
    if (target === '/' || taken.has(target)) continue;
    taken.add(target);
    needs.push({ target, readonly: false });
  }
  return needs;
}

/** `/data/../x//y/` is `/x/y`; what is relative counts from the root. */
export function normalTarget(path: string): string {
  return posix.resolve('/', path);
}
