// Modification times as the layer says them. `fs` takes doubles, which lose nanoseconds, and turns negative ones
// into now; so whole seconds since 1970, nearly all there are, go through `fs` and the rest through the system call.
import { futimesSync, lutimesSync } from 'node:fs';
import { syscalls } from './syscalls.ts';

/** Milliseconds of the last Date there is, from 1970; the first is as far away. */
const LAST_DATE = 8.64e15;

/** Sets the times of an open file. */
export function setFileTimes(descriptor: number, seconds: number, nanos: number): void {
  if (nanos === 0 && seconds >= 0) futimesSync(descriptor, seconds, seconds);
  else if (syscalls()?.futimens(descriptor, seconds, nanos) !== 0) {
    const time = nearest(seconds, nanos);
    futimesSync(descriptor, time, time);
  }
}

/** Sets the times of what is at `path`; never follows a symlink. */
export function setTimesAt(path: string | Buffer, seconds: number, nanos: number): void {
  if (nanos === 0 && seconds >= 0) lutimesSync(path, seconds, seconds);
  else if (syscalls()?.utimensat(Buffer.from(path), seconds, nanos) !== 0) {
    const time = nearest(seconds, nanos);
    lutimesSync(path, time, time);
  }
}

/** The nearest time `fs` can set: milliseconds, as a Date, which may be before 1970, though not without end. */
function nearest(seconds: number, nanos: number): Date {
  const milliseconds = seconds * 1000 + Math.floor(nanos / 1e6);
  return new Date(Math.min(Math.max(milliseconds, -LAST_DATE), LAST_DATE));
}
