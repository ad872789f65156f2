// The seccomp section of a container's spec: our own allow-list, or a profile given, for one architecture and one set
// of capabilities.
import { OciError } from '../../errors.ts';
import type { Capability } from './capabilities.ts';
import type { Seccomp, SyscallRule } from './runtime-spec.ts';
import type { ProfileRule, SeccompProfile } from './seccomp-profile.ts';
import {
  ALLOWED,
  ALLOWED_WITH,
  CLONE_NAMESPACES,
  FIRST_REFUSED_FAMILY,
  PERSONALITIES,
  REFUSED,
} from './seccomp-syscalls.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** By Node's names: what libseccomp calls it, and Go. */
const ARCHITECTURES: Readonly<Record<string, { seccomp: string; go: string }>> = {
  x64: { seccomp: 'SCMP_ARCH_X86_64', go: 'amd64' },
  arm64: { seccomp: 'SCMP_ARCH_AARCH64', go: 'arm64' },
  riscv64: { seccomp: 'SCMP_ARCH_RISCV64', go: 'riscv64' },
  ppc64: { seccomp: 'SCMP_ARCH_PPC64LE', go: 'ppc64le' },
  s390x: { seccomp: 'SCMP_ARCH_S390X', go: 's390x' },
};

/** Whether there is a filter for it: the lists know the calls of 64-bit machines. */
export function hasSeccompFilter(architecture: string): boolean {
  return ARCHITECTURES[architecture] !== undefined;
}

export interface SeccompFacts {
  /** As Node names it. */
  architecture: string;
  /** The container's bounding set. */
  capabilities: readonly Capability[];
}

/** `profile`, or our own, as the runtime spec has it. One architecture only: programs of other ABIs are killed. */
export function seccompOf(profile: SeccompProfile | undefined, facts: SeccompFacts): Seccomp {
  const architecture = ARCHITECTURES[facts.architecture];
  if (architecture === undefined) {
    throw new OciError('UNSUPPORTED', `no seccomp profile for ${facts.architecture}`, {
      hint: 'without a filter: --security-opt seccomp=unconfined',
    });
  }
  const { defaultAction, defaultErrnoRet, flags, syscalls } = profile ?? defaultProfile(facts);
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: [architecture.seccomp],
    ...(flags === undefined ? {} : { flags }),
    syscalls: syscalls
      .filter((rule) => counts(rule, architecture.go, facts.capabilities))
      .map(({ includes: _includes, excludes: _excludes, ...rule }) => rule),
  };
}

/** Docker's reading: all capabilities named must be there, one of the architectures; none of the excluded. */
function counts(rule: ProfileRule, architecture: string, capabilities: readonly string[]): boolean {
  const { includes = {}, excludes = {} } = rule;
  if (includes.caps?.some((name) => !capabilities.includes(name))) return false;
  if (includes.arches?.length && !includes.arches.includes(architecture)) return false;
  if (excludes.caps?.some((name) => capabilities.includes(name))) return false;
  return !excludes.arches?.includes(architecture);
}

function defaultProfile({ architecture, capabilities }: SeccompFacts): SeccompProfile {
  const granted = new Set([...ALLOWED, ...capabilities.flatMap((name) => ALLOWED_WITH[name] ?? [])]);
  const refused = [...REFUSED, ...Object.values(ALLOWED_WITH).flat()];
  const held = new Set(refused.filter((name) => !granted.has(name)));
  // These two have rules of their own where they are not free.
  held.delete('clone');
  held.delete('clone3');
  const rules: SyscallRule[] = [
    allow([...granted].sort()),
    { names: [...held].sort(), action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
    ...PERSONALITIES.map((value) => allow(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' })),
    // Less than, not "unequal to": the kernel looks at the lower half of the register only, a filter at all of it.
    allow(['socket'], { index: 0, value: FIRST_REFUSED_FAMILY, op: 'SCMP_CMP_LT' }),
    {
      names: ['socket'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: EAFNOSUPPORT,
      args: [{ index: 0, value: FIRST_REFUSED_FAMILY, op: 'SCMP_CMP_GE' }],
    },
  ];
  if (!granted.has('clone')) {
    const flags = { index: architecture === 's390x' ? 1 : 0, op: 'SCMP_CMP_MASKED_EQ' };
    const all = CLONE_NAMESPACES.reduce((sum, flag) => sum + flag, 0);
    rules.push(
      allow(['clone'], { ...flags, value: all, valueTwo: 0 }),
      ...CLONE_NAMESPACES.map((flag) => ({
        names: ['clone'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: EPERM,
        args: [{ ...flags, value: flag, valueTwo: flag }],
      })),
      // Its flags are in memory, where no filter can look; without it, libraries use clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    );
  }
  return { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: ENOSYS, syscalls: rules };
}

function allow(names: string[], ...args: NonNullable<SyscallRule['args']>): SyscallRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args.length > 0 ? { args } : {}) };
}
