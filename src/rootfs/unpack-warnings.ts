// What an unpack could not do as the image says, or did in another way: one line for each kind, with the reason.
import type { OwnershipRecord } from './record-ownership.ts';
import type { Losses } from './special-files.ts';
import { syscalls } from './syscalls.ts';

/** `recordFile`: where `record` keeps what no attribute could hold, when there is such. */
export function unpackWarnings(
  { owners, devices, xattrs }: Losses,
  record?: OwnershipRecord,
  recordFile?: string,
): string[] {
  const isRoot = process.geteuid?.() === 0;
  const lines: string[] = [];
  if (record !== undefined && record.entries > 0) {
    const inAttributes = record.entries > record.aside.length;
    const where = [inAttributes && 'user.rootlesscontainers attributes', recordFile].filter(Boolean);
    lines.push(
      `${record.entries} ${plural(record.entries, 'entry is', 'entries are')} yours on disk; owner, mode and device in the image are recorded in ${where.join(' and ')}`,
    );
  }
  if (record === undefined && owners > 0) {
    const why = isRoot ? 'their ids do not exist here' : 'changing owners needs root';
    lines.push(
      `${owners} ${plural(owners, 'entry is', 'entries are')} owned by you, not by whom the image says: ${why}`,
    );
  }
  if (record === undefined && devices > 0) {
    const why = !isRoot
      ? 'making them needs root'
      : (reasonOf('mknod') ?? 'this system does not let you make them');
    lines.push(`${devices} device ${plural(devices, 'node was', 'nodes were')} left out: ${why}`);
  }
  if (xattrs > 0) {
    const why = reasonOf('setfattr') ?? 'this file system or user cannot have them';
    lines.push(`${xattrs} extended ${plural(xattrs, 'attribute was', 'attributes were')} left out: ${why}`);
  }
  return lines;
}

/** Why nothing was even tried, where it was not: no system calls, and the tool that stands in for them failed. */
function reasonOf(tool: string): string | undefined {
  if (syscalls() !== undefined) return undefined;
  return `this Node has no node:ffi, and ${tool} is not installed or failed`;
}

function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}
