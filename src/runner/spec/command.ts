// The command, found before anything is started: runtimes answer 1, or a stack trace, for what a shell calls 126 and 127.
import { OciError } from '../../errors.ts';
import { type BinaryFormat, isHandled } from './binfmt.ts';
import { INIT_PATH } from './command-line.ts';
import { EXECUTABLE_HEAD, type Executable, readExecutable } from './elf.ts';
import type { FoundInside, Inside } from './inside.ts';
import type { Process } from './runtime-spec.ts';

/** Go's names by Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
/** What QEMU calls what Go calls otherwise. */
const QEMU_NAMES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  '386': 'i386',
  arm64: 'aarch64',
  loong64: 'loongarch64',
};

/** A script may name a script, as often as the kernel allows (BINPRM_MAX_RECURSION). */
const MAX_SCRIPTS = 4;

export interface CommandFacts {
  /** The root file system, told where the container's mounts will be. */
  inside: Inside;
  /** As Node names it. */
  architecture: string;
  /** Of `readBinaryFormats`. */
  formats: readonly BinaryFormat[];
}

/**
 * Checks that `args[0]` can be run by the process's user, by PATH when it has no slash. Throws COMMAND_NOT_FOUND (127),
 * COMMAND_NOT_EXECUTABLE (126): a directory, no permission, an interpreter or loader that is not there, a program for
 * another machine. What lies below a mount is for the runtime to find out.
 */
export function checkCommand(
  process: Pick<Process, 'args' | 'env' | 'cwd' | 'user'>,
  facts: CommandFacts,
): void {
  const [name = ''] = process.args[0] === INIT_PATH ? process.args.slice(2) : process.args;
  const found = name.includes('/')
    ? facts.inside.find(name.startsWith('/') ? name : `${process.cwd}/${name}`)
    : searchPath(name, process, facts.inside);
  if (found === 'mounted') return;
  if (found === undefined) throw notFound(name, process.env);
  if (found.stats.isDirectory()) throw notExecutable(name, 'it is a directory');
  if (!found.stats.isFile()) throw notExecutable(name, 'it is not a file');
  if (!mayExecute(found, process.user)) {
    const mode = (found.stats.mode & 0o7777).toString(8).padStart(4, '0');
    throw notExecutable(
      name,
      'permission denied',
      `${found.path} has mode ${mode}, owner ${found.stats.uid}`,
    );
  }
  checkFormat(name, found.path, facts, 0);
}

/** As execvp(3): the first that may be run; else the first that is there. */
function searchPath(
  name: string,
  process: Pick<Process, 'env' | 'cwd' | 'user'>,
  inside: Inside,
): FoundInside | 'mounted' | undefined {
  if (name === '') return undefined;
  let there: FoundInside | undefined;
  for (const folder of (pathOf(process.env) ?? '').split(':')) {
    const base = folder.startsWith('/') ? folder : `${process.cwd}/${folder}`;
    const found = inside.find(`${base}/${name}`);
    if (found === 'mounted') return found;
    if (!found?.stats.isFile()) continue;
    if (mayExecute(found, process.user)) return found;
    there ??= found;
  }
  return there;
}

function pathOf(env: readonly string[]): string | undefined {
  return env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
}

/** Root needs one x bit, anybody else theirs. */
function mayExecute({ stats }: FoundInside, { uid, gid, additionalGids }: Process['user']): boolean {
  if (uid === 0) return (stats.mode & 0o111) !== 0;
  if (stats.uid === uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === gid || additionalGids.includes(stats.gid)) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}

function checkFormat(name: string, path: string, facts: CommandFacts, depth: number): void {
  const head = facts.inside.read(path, EXECUTABLE_HEAD);
  if (head === undefined) throw notExecutable(name, `${path} is not a file`);
  if (isHandled(path, head, facts.formats)) return;
  const program = readExecutable(head);
  switch (program.kind) {
    case 'elf':
      checkElf(name, path, program, facts);
      return;
    case 'script': {
      const interpreter = facts.inside.find(program.interpreter);
      if (interpreter === 'mounted') return;
      if (interpreter === undefined) {
        throw notExecutable(
          name,
          `its interpreter ${printable(program.interpreter)} is not in the image`,
          program.interpreter.endsWith('\r') ? 'the script has Windows line ends' : undefined,
        );
      }
      if (depth >= MAX_SCRIPTS) throw notExecutable(name, 'its interpreters are scripts without end');
      checkFormat(name, interpreter.path, facts, depth + 1);
      return;
    }
    case 'unknown':
      throw notExecutable(
        name,
        'it is neither a program nor a script that names its interpreter',
        `if it is a shell script, run it with: sh ${name}`,
      );
  }
}

function checkElf(
  name: string,
  path: string,
  { architecture, loader }: Extract<Executable, { kind: 'elf' }>,
  facts: CommandFacts,
): void {
  const ours = ARCHITECTURES[facts.architecture] ?? facts.architecture;
  if (architecture !== ours) {
    throw notExecutable(
      name,
      `${path} is a program for ${architecture}, this machine is ${ours}`,
      `choose another --platform, or install qemu-user-static and its binfmt entry qemu-${QEMU_NAMES[architecture] ?? architecture}`,
    );
  }
  if (loader !== undefined && facts.inside.find(loader) === undefined) {
    throw notExecutable(
      name,
      `its loader ${printable(loader)} is not in the image`,
      /musl/.test(loader)
        ? 'it was built for musl (Alpine), the image has another C library'
        : 'it was built for another C library than the image has (glibc programs do not run on Alpine)',
    );
  }
}

function notFound(name: string, env: readonly string[]): OciError {
  const hint = name.includes('/')
    ? 'look with: ocitool ls IMAGE /'
    : `it was looked for in PATH=${pathOf(env) ?? ''}`;
  return new OciError('COMMAND_NOT_FOUND', `${printable(name) || "''"}: no such command in the image`, {
    hint,
  });
}

function notExecutable(name: string, why: string, hint?: string): OciError {
  return new OciError('COMMAND_NOT_EXECUTABLE', `${printable(name)}: cannot be run: ${why}`, { hint });
}

/** Names out of an image, fit for a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
