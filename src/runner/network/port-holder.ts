// Which process has a port: found through /proc, for the error message only.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const TCP_LISTEN = '0A';

/** `nginx (process 812)`; undefined when it is of another user or namespace. */
export function holderOf(port: number, protocol: 'tcp' | 'udp'): string | undefined {
  const inodes = new Set([protocol, `${protocol}6`].flatMap((table) => inodesIn(table, port)));
  if (inodes.size === 0) return undefined;
  const pid = list('/proc').find((name) => /^\d+$/.test(name) && holdsAny(name, inodes));
  return pid === undefined ? undefined : `${nameOf(pid)} (process ${pid})`;
}

/** Sockets on the port, by /proc/net/{tcp,udp}: `sl local remote st … inode` with the port in hexadecimal. */
function inodesIn(table: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return read(`/proc/net/${table}`)
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(wanted) !== true) return [];
      if (table.startsWith('tcp') && fields[3] !== TCP_LISTEN) return [];
      return fields[9] ?? [];
    });
}

function holdsAny(pid: string, inodes: ReadonlySet<string>): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function nameOf(pid: string): string {
  return read(`/proc/${pid}/comm`).trim() || 'a process';
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
