// What oclif's parser has against a command line, as one line of ours, with what was probably meant.
import { OciError } from '../errors.ts';
import { nearestName } from '../rootfs/nearest-name.ts';

/** What the command line could have been. */
export interface KnownWords {
  /** The command that was found, as people write it. */
  command?: string | undefined;
  /** With their dashes. */
  flags?: readonly string[] | undefined;
  /** As people write them. */
  commands?: readonly string[] | undefined;
}

/** USAGE; undefined for an error that is not oclif's. */
export function asUsageError(error: unknown, known: KnownWords): OciError | undefined {
  if (!(error instanceof Error) || !('oclif' in error) || error instanceof OciError) return undefined;
  const { message, meant } = explain(error, known);
  const help = known.command === undefined ? 'see ocitool help' : `see ocitool ${known.command} --help`;
  const hint = meant === undefined ? help : `did you mean ${meant}? Or ${help}`;
  return new OciError('USAGE', message, { hint, cause: error });
}

function explain(
  error: Error,
  { flags, commands = [] }: KnownWords,
): { message: string; meant?: string | undefined } {
  const { message } = error;
  // oclif's classes have no names in the bundle.
  if (message.startsWith('Missing ') && 'args' in error) {
    const names = (error.args as { name: string }[]).map(({ name }) => name.toUpperCase());
    return { message: `${names.join(' and ')} missing` };
  }
  if (message.startsWith('Nonexistent flag') && 'flags' in error) {
    const names = error.flags as string[];
    return { message: `no such flag: ${names.join(', ')}`, meant: nearestName(names[0] ?? '', flags ?? []) };
  }
  const [, command] = /^command (.+) not found$/.exec(message) ?? [];
  if (command !== undefined) {
    const words = command.split(/[ :]/);
    // What follows may be its arguments, unless it begins like another: `network creat`.
    const count = commands.some((name) => name.startsWith(`${words[0]} `)) ? 2 : 1;
    const wanted = words.slice(0, count).join(' ');
    return { message: `no such command: ${wanted}`, meant: nearestName(wanted, commands) };
  }
  const [first = '', ...rest] = message
    .split('\n')
    .filter((line) => line.trim() !== '' && line !== 'See more help with --help');
  return { message: [first, ...rest.map((line) => line.trim())].join(' ') };
}
