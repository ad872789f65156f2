// Signals as people and images write them: TERM, sigterm, 15, SIGRTMIN+3 (systemd's way to stop).
import { constants } from 'node:os';
import { nearestName } from '../../rootfs/nearest-name.ts';
import { usage } from './usage.ts';

/** The first two real-time signals belong to the C library (signal(7)). */
const FIRST_REALTIME = 34;
const LAST_REALTIME = 64;

/** The name in full, `SIGTERM`; a real-time signal is `SIGRTMIN+N`. Throws USAGE, naming `flag`. */
export function parseSignal(text: string, flag: string): string {
  const upper = text.toUpperCase();
  const known = Object.keys(constants.signals);
  if (/^\d+$/.test(text)) {
    const name = known.find((signal) => constants.signals[signal as NodeJS.Signals] === Number(text));
    if (name !== undefined) return name;
    if (Number(text) >= FIRST_REALTIME && Number(text) <= LAST_REALTIME)
      return `SIGRTMIN+${Number(text) - FIRST_REALTIME}`;
  }
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  if (known.includes(name) || realtime(name) !== undefined) return name;
  const near = nearestName(name, known);
  throw usage(
    flag,
    text,
    'not a signal',
    near === undefined ? 'write it as TERM, SIGINT or 9' : `did you mean ${near}?`,
  );
}

/** Its number, for kill(2). `name` as `parseSignal` gives it. */
export function signalNumber(name: string): number {
  return realtime(name) ?? constants.signals[name as NodeJS.Signals];
}

function realtime(name: string): number | undefined {
  const [, from, offset = '0'] = /^SIG(RTMIN|RTMAX)(?:[+-](\d{1,2}))?$/.exec(name) ?? [];
  if (from === undefined) return undefined;
  const number = from === 'RTMIN' ? FIRST_REALTIME + Number(offset) : LAST_REALTIME - Number(offset);
  return number >= FIRST_REALTIME && number <= LAST_REALTIME ? number : undefined;
}
