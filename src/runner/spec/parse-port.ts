// -p: which port of this machine leads to which of the container. 127.0.0.1 unless an address is given: a port that
// the whole network reaches should be asked for.
import type { PortRequest } from './run-request.ts';
import { usage } from './usage.ts';

const HINT = 'write it as 8080:80, 127.0.0.1:8080:80, 53:53/udp, or 80 for any free port';
/** Each is a listening socket. */
const MAX_RANGE = 1000;

/** `[ip:][host]:container[/protocol]`, or ranges of equal length. Throws USAGE. */
export function parsePort(text: string): PortRequest[] {
  const [, ports = '', protocol = 'tcp'] = /^(.*?)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const [, bracketed, plain, rest = ports] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*:[^:]*)$/.exec(ports) ?? [];
  const address = bracketed ?? (plain || '127.0.0.1');
  if (bracketed === undefined ? !isIpv4(address) : !isIpv6(address)) {
    throw usage('-p', text, `${address} is not an IP address`, HINT);
  }
  const parts = rest.split(':');
  if (parts.length > 2) throw usage('-p', text, 'too many colons', `${HINT}; IPv6 addresses go in brackets`);
  const [container, host] = parts.toReversed();
  const inside = rangeOf(container ?? '', text, 'a port of the container');
  const outside =
    host === undefined || host === '' ? undefined : rangeOf(host, text, 'a port of this machine');
  if (outside !== undefined && outside.length !== inside.length) {
    throw usage('-p', text, 'ranges of different lengths', 'write as many ports on the left as on the right');
  }
  return inside.map((containerPort, i) => ({
    address,
    hostPort: outside?.[i] ?? 0,
    containerPort,
    protocol: protocol as PortRequest['protocol'],
  }));
}

function rangeOf(text: string, whole: string, what: string): number[] {
  const [, start, end = start] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(start), Number(end)];
  if (start === undefined || first < 1 || last > 65535 || first > last) {
    throw usage('-p', whole, `${text || 'nothing'} is not ${what}`, HINT);
  }
  if (last - first >= MAX_RANGE) throw usage('-p', whole, `more than ${MAX_RANGE} ports`, HINT);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  return text.includes(':') && URL.canParse(`http://[${text}]/`);
}
