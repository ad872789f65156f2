// The one error catalogue: every failure a caller may want to tell apart has a code here,
// and every error goes through `redact` so that no secret reaches a log or a terminal.
import { redact } from './redact.ts';

/** What kind of failure; commands turn each into an exit code (docs/json.md lists them). */
export type ErrorCode =
  // the caller asked for something that cannot be (exit 2)
  | 'INVALID_REFERENCE'
  | 'INVALID_DIGEST'
  | 'INVALID_PLATFORM'
  | 'USAGE'
  | 'SETTINGS_INVALID'
  // it does not exist (exit 3)
  | 'IMAGE_NOT_FOUND'
  | 'BLOB_NOT_FOUND'
  | 'PLATFORM_NOT_FOUND'
  | 'PATH_NOT_FOUND'
  | 'CONTAINER_NOT_FOUND'
  | 'NETWORK_NOT_FOUND'
  | 'USER_NOT_FOUND'
  // not allowed (exit 4)
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'PERMISSION'
  // the network or the other end (exit 5)
  | 'NETWORK'
  | 'TLS'
  | 'TIMEOUT'
  | 'RATE_LIMITED'
  | 'REGISTRY_ERROR'
  // bytes are not what they should be (exit 6)
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'DIFF_ID_MISMATCH'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_TOO_LARGE'
  | 'CONFIG_INVALID'
  | 'LAYER_INVALID'
  | 'LAYER_REFUSED'
  | 'LIMIT_EXCEEDED'
  | 'ARCHIVE_INVALID'
  | 'SIGNATURE_INVALID'
  | 'POLICY_REFUSED'
  // everything else (exit 1)
  | 'UNSUPPORTED'
  | 'NAME_TAKEN'
  | 'PORT_TAKEN'
  | 'NOT_RUNNING'
  | 'STORE_VERSION'
  | 'STORE_INVALID'
  | 'DISK_FULL'
  | 'DESTINATION_NOT_EMPTY'
  | 'CREDENTIALS'
  | 'IO'
  // of `run` and `exec` (exit 125, 126, 127)
  | 'RUNTIME_FAILED'
  | 'COMMAND_NOT_EXECUTABLE'
  | 'COMMAND_NOT_FOUND'
  // the caller's signal fired (exit 130)
  | 'ABORTED';

/** Extra facts of an error. */
export interface OciErrorOptions {
  /** What to do next, one line, no full stop needed. */
  hint?: string | undefined;
  /** The error underneath. */
  cause?: unknown;
}

/** Every error this library throws on purpose. `message` is one line and names what failed. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: OciErrorOptions = {}) {
    super(redact(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint === undefined ? undefined : redact(options.hint);
  }
}

/** True for an `OciError`, of the given code when one is given. */
export function isOciError(error: unknown, code?: ErrorCode): error is OciError {
  return error instanceof OciError && (code === undefined || error.code === code);
}

/** The error a fired signal stands for: its own `OciError` reason, or ABORTED. */
export function abortError(signal?: AbortSignal): OciError {
  const reason: unknown = signal?.reason;
  return isOciError(reason) ? reason : new OciError('ABORTED', 'interrupted', { cause: reason });
}

/** Throws ABORTED when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The `code` of a Node system error (`ENOENT`, `ECONNREFUSED`, …), if it has one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file-system failure as an `OciError`: full disk, missing rights, and the rest told apart. */
export function fileError(error: unknown, what: string): OciError {
  if (isOciError(error)) return error;
  const code = systemCode(error);
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new OciError('DISK_FULL', `${what}: no space left on the device`, {
        hint: 'free some space, or choose another place with --store or another directory',
        cause: error,
      });
    case 'ENOENT':
      return new OciError('IO', `${what}: no such file or directory`, { cause: error });
    case 'EROFS':
      return new OciError('PERMISSION', `${what}: the file system is read-only`, {
        hint: 'choose a writable place with --store or $OCITOOL_STORE',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new OciError('PERMISSION', `${what}: permission denied`, { cause: error });
    default:
      return new OciError('IO', `${what}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
  }
}
