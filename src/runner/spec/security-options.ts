// --security-opt, as Docker spells it: `KEY=VALUE` or `KEY:VALUE`.
import { OciError } from '../../errors.ts';
import { parseSeccompProfile, type SeccompProfile } from './seccomp-profile.ts';

export interface SecurityOptions {
  /** `undefined`: our own profile. */
  seccomp: 'unconfined' | SeccompProfile | undefined;
  noNewPrivileges: boolean;
  /** Paths of the host in /proc and /sys are neither hidden nor read-only. */
  unmask: boolean;
}

/** Throws USAGE. A seccomp profile is given by its text, which the command line has read from the file. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const result: SecurityOptions = { seccomp: undefined, noNewPrivileges: true, unmask: false };
  for (const option of options) {
    const [, key = '', value] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === 'seccomp' && value !== undefined) {
      result.seccomp = value === 'unconfined' ? value : parseSeccompProfile(value);
    } else if (key === 'no-new-privileges' && (value === undefined || /^(true|false)$/.test(value))) {
      result.noNewPrivileges = value !== 'false';
    } else if (key === 'systempaths' && value === 'unconfined') {
      result.unmask = true;
    } else {
      throw new OciError('USAGE', `--security-opt ${option.slice(0, 60)}: not an option`, {
        hint: 'known are seccomp=unconfined|FILE, no-new-privileges[=false], systempaths=unconfined',
      });
    }
  }
  return result;
}
