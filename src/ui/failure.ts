// What a failure looks like: one line, a hint, an exit code; the stack only for those who asked.
import { type ErrorCode, isOciError } from '../errors.ts';
import { redact } from '../redact.ts';
import type { Paint } from './color.ts';
import { printable } from './format.ts';

/** The exit codes of the command contract (docs/json.md). */
export const EXIT = {
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  network: 5,
  integrity: 6,
  /** `run` and `exec`: ours, not the container's; then as a shell has them. */
  runtime: 125,
  notExecutable: 126,
  commandNotFound: 127,
  interrupted: 130,
} as const;

const EXIT_BY_CODE = {
  INVALID_REFERENCE: EXIT.usage,
  INVALID_DIGEST: EXIT.usage,
  INVALID_PLATFORM: EXIT.usage,
  USAGE: EXIT.usage,
  SETTINGS_INVALID: EXIT.usage,
  IMAGE_NOT_FOUND: EXIT.notFound,
  BLOB_NOT_FOUND: EXIT.notFound,
  PLATFORM_NOT_FOUND: EXIT.notFound,
  PATH_NOT_FOUND: EXIT.notFound,
  CONTAINER_NOT_FOUND: EXIT.notFound,
  NETWORK_NOT_FOUND: EXIT.notFound,
  USER_NOT_FOUND: EXIT.notFound,
  UNAUTHORIZED: EXIT.denied,
  DENIED: EXIT.denied,
  PERMISSION: EXIT.denied,
  NETWORK: EXIT.network,
  TLS: EXIT.network,
  TIMEOUT: EXIT.network,
  RATE_LIMITED: EXIT.network,
  REGISTRY_ERROR: EXIT.network,
  DIGEST_MISMATCH: EXIT.integrity,
  SIZE_MISMATCH: EXIT.integrity,
  DIFF_ID_MISMATCH: EXIT.integrity,
  MANIFEST_INVALID: EXIT.integrity,
  MANIFEST_TOO_LARGE: EXIT.integrity,
  CONFIG_INVALID: EXIT.integrity,
  LAYER_INVALID: EXIT.integrity,
  LAYER_REFUSED: EXIT.integrity,
  LIMIT_EXCEEDED: EXIT.integrity,
  ARCHIVE_INVALID: EXIT.integrity,
  SIGNATURE_INVALID: EXIT.integrity,
  POLICY_REFUSED: EXIT.integrity,
  UNSUPPORTED: EXIT.failed,
  NAME_TAKEN: EXIT.failed,
  PORT_TAKEN: EXIT.failed,
  NOT_RUNNING: EXIT.failed,
  STORE_VERSION: EXIT.failed,
  STORE_INVALID: EXIT.failed,
  DISK_FULL: EXIT.failed,
  DESTINATION_NOT_EMPTY: EXIT.failed,
  CREDENTIALS: EXIT.denied,
  IO: EXIT.failed,
  RUNTIME_FAILED: EXIT.runtime,
  COMMAND_NOT_EXECUTABLE: EXIT.notExecutable,
  COMMAND_NOT_FOUND: EXIT.commandNotFound,
  ABORTED: EXIT.interrupted,
} satisfies Record<ErrorCode, number>;

/** A failure as commands show it. */
export interface Failure {
  code: ErrorCode | 'INTERNAL';
  message: string;
  hint?: string;
  exitCode: number;
}

/** Any thrown value as a `Failure`. A usage error of the command-line parser counts as USAGE. */
export function toFailure(error: unknown): Failure {
  if (isOciError(error)) {
    const failure: Failure = { code: error.code, message: error.message, exitCode: EXIT_BY_CODE[error.code] };
    if (error.hint !== undefined) failure.hint = error.hint;
    return failure;
  }
  const message = redact(error instanceof Error ? error.message : String(error));
  return {
    code: 'INTERNAL',
    message: message.split('\n', 1)[0] ?? '',
    hint: 'this is a bug in ocitool: run again with --log-level debug and report what it prints',
    exitCode: EXIT.failed,
  };
}

/** The lines a person reads. */
export function failureLines(failure: Failure, paint: Paint): string[] {
  const lines = [`${paint.red('error:')} ${printable(failure.message)}`];
  if (failure.hint !== undefined) lines.push(`${paint.cyan('hint:')} ${printable(failure.hint)}`);
  return lines;
}
