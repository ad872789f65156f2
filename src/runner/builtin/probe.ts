// Whether the built-in driver can work here, and what it cannot give: a few harmless system calls, below a millisecond,
// so nothing is kept of the answer.
import { readFileSync } from 'node:fs';
import type { Protection } from '../driver.ts';
import { bytes, type CallName, failedWith, type Kernel, kernel } from '../kernel.ts';
import { capabilitiesOfMask } from '../spec/capabilities.ts';
import { ENOSYS } from './numbers.ts';

export type BuiltinSupport =
  | { available: true; missing: Protection[] }
  | { available: false; reason: string; hint?: string; missing: Protection[] };

/** What the youngest calls we need came with. */
const KERNEL = 'Linux 5.12 or later';
const CALLS: readonly CallName[] = [
  'mount_setattr',
  'openat2',
  'fsopen',
  'open_tree',
  'close_range',
  'pidfd_getfd',
];

/** Asked in the process that would start containers: as root, or as root of a user namespace. Never throws. */
export function probeBuiltin(): BuiltinSupport {
  let calls: Kernel;
  try {
    calls = kernel();
  } catch (error) {
    return refused(
      `the built-in runtime cannot work: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const lacking = CALLS.find((name) => !isKnown(calls, name));
  if (lacking !== undefined) {
    return refused(
      `the built-in runtime needs ${KERNEL}: there is no ${lacking} here`,
      'or a sandbox hides it; try --runtime crun',
    );
  }
  if (!hasCapability('CAP_SYS_ADMIN')) {
    return refused('the built-in runtime must be root, of the machine or of a user namespace');
  }
  return { available: true, missing: hasFilters(calls) ? [] : ['seccomp'] };
}

function refused(reason: string, hint?: string): BuiltinSupport {
  return { available: false, reason, ...(hint === undefined ? {} : { hint }), missing: [] };
}

/** Arguments that no call accepts: only a call that is there looks at them. */
function isKnown({ call }: Kernel, name: CallName): boolean {
  try {
    call(name, -1, null, -1, -1, -1, -1);
    return true;
  } catch (error) {
    return !failedWith(error, ENOSYS);
  }
}

/** Asks whether a filter could answer with an errno: SECCOMP_GET_ACTION_AVAIL. */
function hasFilters({ call }: Kernel): boolean {
  const SECCOMP_GET_ACTION_AVAIL = 2;
  const SECCOMP_RET_ERRNO = 0x00050000;
  const action = bytes(4);
  action.view.setUint32(0, SECCOMP_RET_ERRNO, true);
  try {
    call('seccomp', SECCOMP_GET_ACTION_AVAIL, 0, action);
    return true;
  } catch {
    return false;
  }
}

function hasCapability(name: string): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return (capabilitiesOfMask(effective) as string[]).includes(name);
}
