// A failed operation as the error its user reads: what could not be done, why, and what to do about it.
import { OciError } from '../../errors.ts';
import { errorName } from '../kernel.ts';
import { EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR, EPERM } from './numbers.ts';
import { describe, type Operation } from './operation.ts';
import type { Report } from './report.ts';

type Failure = Extract<Report, { failed: unknown }>['failed'];

export function launchError(plan: readonly Operation[], failure: Failure): OciError {
  const operation = plan[failure.index];
  if (operation === undefined)
    return new OciError('RUNTIME_FAILED', `the built-in runtime failed: ${failure.note}`);
  if (operation.do === 'execute') return commandError(operation.args[0] ?? '', failure);
  const { call, errno, note } = failure;
  const why = note ?? `${call}: ${errorName(errno)}`;
  return new OciError('RUNTIME_FAILED', `${describe(operation)}: ${why}`, {
    hint: hintFor(operation, errno),
  });
}

function commandError(command: string, { call, errno, note }: Failure): OciError {
  const notFound = (why: string, hint?: string) =>
    new OciError('COMMAND_NOT_FOUND', `${command}: ${why}`, { hint });
  const notExecutable = (why: string, hint?: string) =>
    new OciError('COMMAND_NOT_EXECUTABLE', `${command}: ${why}`, { hint });
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      // openat2 found it, and execve did not.
      if (call === 'execve') {
        return notExecutable(
          'its interpreter is not in the image',
          'see its first line, or what it is linked with',
        );
      }
      return notFound('not in the image');
    case EACCES:
    case EISDIR:
      return notExecutable('not executable');
    case ENOEXEC:
      return notExecutable(
        'not in a format this machine runs',
        'it is for another architecture, or a script without a first line like #!/bin/sh',
      );
    case ELOOP:
      return notExecutable('leads through links to no file of the image');
    default:
      return notExecutable(note ?? `${call}: ${errorName(errno)}`);
  }
}

function hintFor(operation: Operation, errno: number): string | undefined {
  if (operation.do === 'clone' && errno === ENOENT) return 'the source of a mount must exist';
  if (operation.do === 'working-directory')
    return 'the working directory must be a directory the user may enter';
  if (operation.do === 'attach' && !operation.links && errno === ELOOP) {
    return 'the image has a symbolic link where the kernel’s file systems belong';
  }
  if (operation.do === 'make' && errno === EPERM) {
    return 'a container or sandbox around this one hides parts of /proc or /sys; or choose --runtime crun';
  }
  return undefined;
}
