// A command that is named is run without oclif's search for one: that reads package and manifest, looks for plugins, hooks
// and themes, and takes 10 ms. Its flags, its arguments and its help stay oclif's.
import { type Command, Config } from '@oclif/core';
import type { OciCommand } from './command.ts';
import { flagsFirst } from './flags-first.ts';

/** A command's class. */
type CommandClass = Pick<typeof OciCommand, 'id' | 'flags' | 'baseFlags' | 'ownWordsFirst'> &
  (new (
    argv: string[],
    oclif: Config,
  ) => OciCommand<typeof Command>);

/** By oclif's id, `network create` as `network:create`; each is loaded when it is got. */
export type Commands = Readonly<Record<string, CommandClass>>;

/** Whether `argv` names one of the commands and does not ask for help; then it has run, and reported what failed. */
export async function runCommand(argv: string[], commands: Commands, root: string): Promise<boolean> {
  const idOf = (count: number): string => argv.slice(0, count).join(':');
  const count = [1, 2].find((words) => Object.hasOwn(commands, idOf(words)));
  if (count === undefined) return false;
  const id = idOf(count);
  const words = argv.slice(count);
  const Named = commands[id] as CommandClass;
  if (words.includes('--help') && asksForHelp(words, Named)) return false;
  Named.id = id;
  await new Named(words, plainConfig(root)).start();
  return true;
}

function asksForHelp(words: string[], { flags, baseFlags, ownWordsFirst }: CommandClass): boolean {
  const line = ownWordsFirst ? flagsFirst(words, { ...baseFlags, ...flags }) : words;
  return !line.includes('--') || line.indexOf('--help') < line.indexOf('--');
}

/** What commands ask oclif for beside their flags: the program's name, and the folder of its package.json. */
function plainConfig(root: string): Config {
  const oclif = new Config({ root });
  oclif.bin = 'ocitool';
  oclif.root = root;
  // There are none, which oclif finds out by looking for plugins.
  oclif.runHook = async () => ({ successes: [], failures: [] });
  return oclif;
}
