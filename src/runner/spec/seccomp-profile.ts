// A seccomp profile of somebody's own: Docker's form, in which a rule may depend on capabilities and architecture, or
// the runtime spec's, which is the same without that.
import { OciError } from '../../errors.ts';
import type { Seccomp, SyscallRule } from './runtime-spec.ts';

/** When a rule counts. */
interface Conditions {
  caps?: string[];
  /** As Go names them: `amd64`. */
  arches?: string[];
}

export interface ProfileRule extends SyscallRule {
  includes?: Conditions;
  excludes?: Conditions;
}

export interface SeccompProfile extends Omit<Seccomp, 'architectures' | 'syscalls'> {
  syscalls: ProfileRule[];
}

const ACTIONS = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRAP',
];
const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`);

/** The profile in `text`. Throws USAGE naming the member that is wrong. */
export function parseSeccompProfile(text: string): SeccompProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const profile = record(value, 'the profile');
  const errno = profile.defaultErrnoRet;
  return {
    defaultAction: oneOf(profile.defaultAction, ACTIONS, 'defaultAction'),
    ...(errno === undefined || errno === null ? {} : { defaultErrnoRet: integer(errno, 'defaultErrnoRet') }),
    ...(profile.flags === undefined ? {} : { flags: strings(profile.flags, 'flags') }),
    syscalls: list(profile.syscalls ?? [], 'syscalls').map((rule, i) => parseRule(rule, `syscalls[${i}]`)),
  };
}

function parseRule(value: unknown, at: string): ProfileRule {
  const rule = record(value, at);
  const errno = rule.errnoRet;
  const names = rule.names ?? (typeof rule.name === 'string' ? [rule.name] : undefined);
  return {
    names: strings(names, `${at}.names`),
    action: oneOf(rule.action, ACTIONS, `${at}.action`),
    ...(errno === undefined || errno === null ? {} : { errnoRet: integer(errno, `${at}.errnoRet`) }),
    ...(rule.args === undefined || rule.args === null ? {} : { args: parseArgs(rule.args, `${at}.args`) }),
    includes: parseConditions(rule.includes, `${at}.includes`),
    excludes: parseConditions(rule.excludes, `${at}.excludes`),
  };
}

function parseArgs(value: unknown, at: string): NonNullable<SyscallRule['args']> {
  return list(value, at).map((item, i) => {
    const arg = record(item, `${at}[${i}]`);
    const index = integer(arg.index, `${at}[${i}].index`);
    if (index > 5) throw wrong(`${at}[${i}].index: a system call has 6 arguments`);
    return {
      index,
      value: integer(arg.value, `${at}[${i}].value`),
      valueTwo: integer(arg.valueTwo ?? 0, `${at}[${i}].valueTwo`),
      op: oneOf(arg.op, OPERATORS, `${at}[${i}].op`),
    };
  });
}

function parseConditions(value: unknown, at: string): Conditions {
  if (value === undefined || value === null) return {};
  const conditions = record(value, at);
  const found: Conditions = {};
  if (conditions.caps !== undefined) found.caps = strings(conditions.caps, `${at}.caps`);
  if (conditions.arches !== undefined) found.arches = strings(conditions.arches, `${at}.arches`);
  return found;
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw wrong(`${at}: not an object`);
}

function list(value: unknown, at: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(`${at}: not a list`);
}

function strings(value: unknown, at: string): string[] {
  const items = list(value, at);
  if (items.every((item) => typeof item === 'string')) return items;
  throw wrong(`${at}: not a list of strings`);
}

/** Integers that JSON carries exactly. */
function integer(value: unknown, at: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(`${at}: not an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

function oneOf(value: unknown, known: readonly string[], at: string): string {
  if (typeof value === 'string' && known.includes(value)) return value;
  throw wrong(`${at}: not one of ${known.join(', ')}`);
}

function wrong(what: string): OciError {
  return new OciError('USAGE', `--security-opt seccomp: ${what}`, {
    hint: "it takes a file in the form of Docker's default.json, or unconfined",
  });
}
