// Prints a failure by the contract: one line, a hint, JSON for those who asked for it, and sets the exit code.
import { OciError } from '../errors.ts';
import { redact } from '../redact.ts';
import { createPaint, wantsColor } from '../ui/color.ts';
import { failureLines, toFailure } from '../ui/failure.ts';
import { asUsageError, type KnownWords } from './usage-error.ts';

/** Reports `error` as the outcome of the command line `argv`, which could have had the words of `known`. Nothing is thrown. */
export function reportFailure(error: unknown, argv: string[], known: KnownWords = {}): void {
  if (isOrderlyExit(error)) return;
  const failure = toFailure(asUsageError(error, known) ?? unframed(error));
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
