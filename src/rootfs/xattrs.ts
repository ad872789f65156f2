// Which extended attributes of a layer are part of the image, and which belong to the machine that made it.
import { OWNER_ATTRIBUTE, STAT_ATTRIBUTE } from './ownership-record.ts';

const OF_THE_MACHINE = new Set(['security.selinux', OWNER_ATTRIBUTE, STAT_ATTRIBUTE]);

/**
 * False for labels, the bookkeeping of overlays, and records of owners: they would be wrong, or dangerous, on another
 * machine. A record in a layer would pass for one of ours.
 */
export function isKeptXattr(name: string): boolean {
  return (
    !OF_THE_MACHINE.has(name) && !name.startsWith('trusted.overlay.') && !name.startsWith('user.overlay.')
  );
}

/** `xattrs` without those that are not the image's; undefined when none is left. */
export function keptXattrs(
  xattrs: ReadonlyMap<string, Uint8Array> | undefined,
): ReadonlyMap<string, Uint8Array> | undefined {
  if (xattrs === undefined) return undefined;
  const kept = new Map([...xattrs].filter(([name]) => isKeptXattr(name)));
  return kept.size === 0 ? undefined : kept;
}
