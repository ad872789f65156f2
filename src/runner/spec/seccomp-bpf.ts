// The seccomp section as a classic BPF program, for the built-in driver (seccomp(2), linux/filter.h). A binary search
// over ranges of numbers that share an outcome: about eight steps for a system call, whichever it is.
import { OciError } from '../../errors.ts';
import { bytesOf, type Instruction, JUMP, LOAD, ret } from './bpf.ts';
import type { Seccomp, SyscallRule } from './runtime-spec.ts';
import { argumentTests } from './seccomp-arguments.ts';
import { syscallNumbers } from './syscall-numbers.ts';

/** AUDIT_ARCH_… of linux/audit.h, by Node's names. */
const AUDIT_ARCHITECTURES: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** x32 programs are of the same architecture; this bit of the number tells them. */
const X32_BIT = 0x40000000;

/** struct seccomp_data: where number and architecture are. */
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
/** BPF_MAXINSNS. */
const MAX_INSTRUCTIONS = 4096;

const KILL_PROCESS = 0x80000000;
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: KILL_PROCESS,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_TRAP: 0x00030000,
};
const EPERM = 1;

/** From `first` up to the next range's first, system calls have the same code. */
interface Range {
  first: number;
  code: Instruction[];
}

/**
 * The filter's bytes, 8 an instruction: an array of struct sock_filter. `architecture` as Node names it; system calls
 * of any other ABI kill the process, names that it does not have are passed over. Of several rules for one system call
 * the first that fits decides. Throws UNSUPPORTED for an architecture without a table, an action of libseccomp's own,
 * and a profile that is too long.
 */
export function compileSeccomp(seccomp: Seccomp, architecture: string): Buffer {
  const numbers = syscallNumbers(architecture);
  const audit = AUDIT_ARCHITECTURES[architecture];
  if (numbers === undefined || audit === undefined) {
    throw new OciError('UNSUPPORTED', `the built-in runtime has no seccomp filter for ${architecture}`, {
      hint: 'install crun or runc, or run with --security-opt seccomp=unconfined',
    });
  }
  const fallback = outcome(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const program: Instruction[] = [
    { code: LOAD, k: ARCHITECTURE_OFFSET },
    { code: JUMP.equal, jt: 1, jf: 0, k: audit },
    ret(KILL_PROCESS),
    { code: LOAD, k: NUMBER_OFFSET },
  ];
  if (architecture === 'x64') {
    program.push({ code: JUMP.atLeast, jt: 0, jf: 1, k: X32_BIT }, ret(KILL_PROCESS));
  }
  program.push(...search(rangesOf(seccomp.syscalls, numbers, fallback)));
  if (program.length > MAX_INSTRUCTIONS) {
    throw new OciError('UNSUPPORTED', 'the seccomp profile is too long for a filter', {
      hint: `it takes ${program.length} instructions of ${MAX_INSTRUCTIONS}`,
    });
  }
  return bytesOf(program);
}

function outcome(action: string, errno = EPERM): number {
  const value = ACTIONS[action];
  if (value === undefined) {
    throw new OciError('UNSUPPORTED', `the built-in runtime has no seccomp action ${action}`);
  }
  return action === 'SCMP_ACT_ERRNO' ? value + (errno & 0xffff) : value;
}

/** Neighbours with equal code are one range. */
function rangesOf(
  rules: readonly SyscallRule[],
  numbers: ReadonlyMap<string, number>,
  fallback: number,
): Range[] {
  const byNumber = new Map<number, SyscallRule[]>();
  for (const rule of rules) {
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      const there = byNumber.get(number);
      if (there === undefined) byNumber.set(number, [rule]);
      else there.push(rule);
    }
  }
  const ranges: Range[] = [{ first: 0, code: [ret(fallback)] }];
  const put = (first: number, code: Instruction[]): void => {
    const last = ranges.at(-1) as Range;
    if (last.first === first) ranges.pop();
    if (!sameCode(ranges.at(-1)?.code, code)) ranges.push({ first, code });
  };
  for (const [number, own] of [...byNumber].sort(([a], [b]) => a - b)) {
    put(number, decide(own, fallback));
    put(number + 1, [ret(fallback)]);
  }
  return ranges;
}

function sameCode(a: readonly Instruction[] | undefined, b: readonly Instruction[]): boolean {
  return a?.length === 1 && b.length === 1 && a[0]?.k === b[0]?.k;
}

/** The rules of one system call in turn, each its tests and its outcome; then the default. */
function decide(rules: readonly SyscallRule[], fallback: number): Instruction[] {
  const code: Instruction[] = [];
  for (const rule of rules) {
    const end = ret(outcome(rule.action, rule.errnoRet));
    for (const tests of alternatives(rule)) {
      code.push(...argumentTests(tests), end);
      if (tests.length === 0) return code;
    }
  }
  return [...code, ret(fallback)];
}

/** Tests of different arguments hold together; of several tests of one argument one is enough, as runc reads them. */
function alternatives({ args = [] }: SyscallRule): Array<NonNullable<SyscallRule['args']>> {
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? args.map((arg) => [arg]) : [args];
}

/** The search tree. Conditional jumps reach 255 instructions, so the long way is always an unconditional one. */
function search(ranges: readonly Range[]): Instruction[] {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) return only.code;
  const middle = ranges.length >> 1;
  const below = search(ranges.slice(0, middle));
  const above = search(ranges.slice(middle));
  return [
    { code: JUMP.atLeast, jt: 0, jf: 1, k: (ranges[middle] as Range).first },
    { code: JUMP.always, k: below.length },
    ...below,
    ...above,
  ];
}
