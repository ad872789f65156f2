// `run IMAGE CMD -x` and `exec NAME CMD -x`: flags end where the first argument stands, what follows is the command's.
import type { Interfaces } from '@oclif/core';

type Flags = Readonly<Record<string, Pick<Interfaces.Flag<unknown>, 'type' | 'char' | 'aliases'>>>;

/** `argv` with `--` before the first argument, so that nothing after it is taken for a flag. */
export function flagsFirst(argv: readonly string[], flags: Flags): string[] {
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at] as string;
    if (token === '--') return [...argv];
    if (!token.startsWith('-') || token === '-') return [...argv.slice(0, at), '--', ...argv.slice(at)];
    if (takesNext(token, flags)) at += 1;
  }
  return [...argv];
}

/** Whether the token is a flag whose value is the next one: `--name`, `-v`, `-itv`; not `--name=x`, `-vx`, `--rm`. */
function takesNext(token: string, flags: Flags): boolean {
  if (token.startsWith('--')) {
    const name = token.slice(2);
    return Object.entries(flags).some(
      ([key, flag]) => flag.type === 'option' && (key === name || flag.aliases?.includes(name)),
    );
  }
  const letters = [...token.slice(1)];
  for (const [index, letter] of letters.entries()) {
    const flag = Object.values(flags).find(({ char }) => char === letter);
    if (flag?.type === 'option') return index === letters.length - 1;
  }
  return false;
}
