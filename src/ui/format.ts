// Numbers and times the way people read them; sizes as docker prints them.
import type { Digest } from '../reference/digest.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes with three significant digits and a decimal unit: `2.11MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would print as 1000
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)}${UNITS[unit]}`;
}

const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(i?))?b?$/i;

/** What people write for bytes, `10GB` (decimal), `1GiB` (binary), `1.5m`, `4096`; undefined when it is none, or 0. */
export function parseBytes(text: string): number | undefined {
  const [, count, unit = '', binary] = SIZE.exec(text.trim()) ?? [];
  if (count === undefined) return undefined;
  const bytes = Math.floor(
    Number(count) * (binary ? 1024 : 1000) ** ' kmgtp'.indexOf(unit.toLowerCase() || ' '),
  );
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A count with thousands separated by a thin convention everybody reads: `76,000`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The first twelve hexadecimal digits, as docker shows IDs. */
export function shortDigest(digest: Digest): string {
  const start = digest.indexOf(':') + 1;
  return digest.slice(start, start + 12);
}

const STEPS: [seconds: number, name: string][] = [
  [365 * 86_400, 'year'],
  [30 * 86_400, 'month'],
  [7 * 86_400, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
];

/** `3 weeks ago`; empty for a missing or unreadable time. */
export function formatAge(time: string | undefined, now: number = Date.now()): string {
  const then = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(then)) return '';
  const seconds = Math.max(0, (now - then) / 1000);
  for (const [size, name] of STEPS) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${name}${count === 1 ? '' : 's'} ago`;
  }
  return 'just now';
}

/** Seconds as `4s`, `2m05s`, `1h02m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

/** Text from an image, safe for a terminal: control characters are shown, not obeyed. */
export function printable(text: string): string {
  // Nearly every text, and a table of 10,000 images has 60,000 of them.
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    if (character === '\t') return ' ';
    if (character === '\n') return '\\n';
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
