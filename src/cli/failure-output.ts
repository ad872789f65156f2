// Prints a failure by the contract: one line, a hint, JSON for those who asked for it, and sets the exit code.
import { OciError } from '../errors.ts';
import { redact } from '../redact.ts';
import { createPaint, wantsColor } from '../ui/color.ts';
import { failureLines, toFailure } from '../ui/failure.ts';

/** Reports `error` as the outcome of the command line `argv`. Nothing is thrown. */
export function reportFailure(error: unknown, argv: string[]): void {
  if (isOrderlyExit(error)) return;
  const failure = toFailure(asUsageError(error) ?? unframed(error));
  process.exitCode = failure.exitCode;
  const flags = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  if (flags.includes('--json')) {
    const { code, message, hint } = failure;
    process.stdout.write(
      `${JSON.stringify({ error: { code, message, ...(hint !== undefined && { hint }) } })}\n`,
    );
  } else {
    const paint = createPaint(wantsColor(process.stderr.isTTY, process.env));
    process.stderr.write(`${failureLines(failure, paint).join('\n')}\n`);
  }
  if (
    flags.some(
      (flag, i) => flag === '--log-level=debug' || (flag === '--log-level' && flags[i + 1] === 'debug'),
    )
  ) {
    process.stderr.write(`${redact(stackOf(error))}\n`);
  }
}

/** `--help` and `--version` leave through an exit error; a closed pipe (`| head`) is no failure either. */
function isOrderlyExit(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'EPIPE' || (error.code === 'EEXIT' && 'oclif' in error && exitOf(error) === 0);
}

/** What oclif's parser throws, as one line and a hint; undefined for anything else. */
function asUsageError(error: unknown): OciError | undefined {
  if (!(error instanceof Error) || !('oclif' in error) || error instanceof OciError) return undefined;
  const [first = '', ...rest] = error.message
    .split('\n')
    .filter((line) => line.trim() !== '' && line !== 'See more help with --help');
  const detail = rest.length === 0 ? '' : ` ${rest.map((line) => line.trim()).join(', ')}`;
  return new OciError('USAGE', `${first}${detail}`, {
    hint: 'see ocitool help, or --help after any command',
    cause: error,
  });
}

/** An error of a flag's own parser, without the lines that oclif writes around it. */
function unframed(error: unknown): unknown {
  if (!(error instanceof OciError)) return error;
  const [, own] = /^Parsing --\S+ \n\t(.*)\nSee more help/s.exec(error.message) ?? [];
  return own === undefined ? error : new OciError(error.code, own, { hint: error.hint, cause: error });
}

function exitOf(error: Error & { oclif?: unknown }): unknown {
  return typeof error.oclif === 'object' && error.oclif !== null && 'exit' in error.oclif
    ? error.oclif.exit
    : undefined;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
