// Which extended attributes of a layer are part of the image, and which belong to the machine that made it.

/** False for labels and overlay bookkeeping: they would be wrong, or dangerous, on another machine. */
export function isKeptXattr(name: string): boolean {
  return (
    name !== 'security.selinux' && !name.startsWith('trusted.overlay.') && !name.startsWith('user.overlay.')
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
