// What is wrong with a flag of `run`, always said in the same way: the flag as it was given, what it is not, what it
// should be.
import { OciError } from '../../errors.ts';

/** `-p 80:x: not a port` with a hint. */
export function usage(flag: string, given: string, problem: string, hint: string): OciError {
  const shown = given.length > 120 ? `${given.slice(0, 120)}…` : given;
  return new OciError('USAGE', `${flag} ${shown}: ${problem}`, { hint });
}
