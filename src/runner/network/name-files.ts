// The files by which a container finds others: /etc/hosts and /etc/resolv.conf. They are mounted into it, so they are
// rewritten in place: a new inode would not be seen.
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { readOr } from './host-routes.ts';

/** A line of /etc/hosts. */
export interface HostLine {
  address: string;
  names: readonly string[];
}

const LOCALHOST: readonly HostLine[] = [
  { address: '127.0.0.1', names: ['localhost'] },
  { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
];

/** The text of an /etc/hosts; `own` first, as a program that asks for its own name expects. */
export function hostsText(lines: readonly HostLine[]): string {
  return [...LOCALHOST, ...lines].map(({ address, names }) => `${address}\t${names.join(' ')}\n`).join('');
}

/** The names of a container: for its own line with its host name first. */
export function namesOf(container: { id: string; name: string; hostname?: string }, own: boolean): string[] {
  const short = container.id.slice(0, 12);
  const names = own ? [container.hostname ?? short, short, container.name] : [container.name, short];
  return [...new Set(names)];
}

/** Replaces a file's content without replacing the file. Creates it when it is not there. */
export function rewrite(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  try {
    // Written before it is cut: a reader meets old or new lines, never an empty file.
    const bytes = Buffer.from(text);
    writeSync(fd, bytes, 0, bytes.length, 0);
    ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}

/** /etc/hosts of a container in the host's network. */
export function hostsOfHost(): string {
  return readOr('/etc/hosts') || hostsText([{ address: '127.0.1.1', names: [hostname()] }]);
}

const SYSTEMD_RESOLVED = '/run/systemd/resolve/resolv.conf';

/** The host's resolvers as a container can reach them: those on the host's loopback are left out. */
export function resolvOfHost(reach: 'host' | 'outside'): string {
  const text = readOr('/etc/resolv.conf');
  if (reach === 'host') return text;
  const usable = withoutLoopback(text);
  // systemd-resolved listens on 127.0.0.53 and keeps the real servers in a file of its own.
  return /^nameserver/m.test(usable) ? usable : withoutLoopback(readOr(SYSTEMD_RESOLVED)) || usable;
}

function withoutLoopback(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !/^\s*[#;]/.test(line));
  const kept = lines.filter((line) => !/^\s*nameserver\s+(?:127\.|::1|fe80:|0\.0\.0\.0)/.test(line));
  return kept.map((line) => `${line}\n`).join('');
}
