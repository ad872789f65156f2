// A flag for a length of time: `30d`, `12h`, `90m`, `10s`, `0`.
import { Flags } from '@oclif/core';
import { OciError } from '../errors.ts';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** Milliseconds. */
export const durationFlag = Flags.custom<number>({
  helpValue: 'TIME',
  parse: async (text, _context, { name }) => {
    const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text.trim()) ?? [];
    if (text.trim() === '0') return 0;
    if (count !== undefined && unit !== undefined) return Number(count) * (UNITS[unit] ?? 0);
    throw new OciError('USAGE', `--${name} ${text}: not a length of time`, {
      hint: 'write it as 30d, 12h, 90m or 10s',
    });
  },
});
