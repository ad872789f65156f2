// Tests of a system call's arguments as BPF: arguments have 64 bits, BPF's words 32, so each is two tests.
import { AND, type Instruction, JUMP, LOAD } from './bpf.ts';
import type { SyscallRule } from './runtime-spec.ts';

type Test = NonNullable<SyscallRule['args']>[number];

/** struct seccomp_data: where the arguments begin. */
const ARGUMENTS_OFFSET = 16;

/** Where a jump goes: on, past this test, or past the whole rule. */
type Goal = 'on' | 'next' | 'fail';
interface Step extends Instruction {
  yes?: Goal;
  no?: Goal;
}

/** Code that runs into what follows when all tests hold, and else passes over one instruction more than its own. */
export function argumentTests(tests: readonly Test[]): Instruction[] {
  const steps = tests.map(stepsOf);
  const total = steps.reduce((sum, { length }) => sum + length, 0);
  let before = 0;
  return steps.flatMap((own) => {
    const end = before + own.length;
    const code = own.map(({ yes = 'on', no = 'on', code, k }, index): Instruction => {
      const distance = { on: 0, next: end - (before + index) - 1, fail: total - (before + index) };
      return { code, k, jt: distance[yes], jf: distance[no] };
    });
    before = end;
    return code;
  });
}

/** Upper half first: it decides unless it is equal. */
function stepsOf({ index, op, value, valueTwo = 0 }: Test): Step[] {
  const [low, high] = halves(value);
  // Little-endian: the lower half comes first.
  const offset = ARGUMENTS_OFFSET + 8 * index;
  const loadLow = { code: LOAD, k: offset };
  const loadHigh = { code: LOAD, k: offset + 4 };
  const is = (k: number, yes: Goal, no: Goal): Step => ({ code: JUMP.equal, k, yes, no });
  const isAbove = (k: number, yes: Goal, no: Goal): Step => ({
    code: JUMP.above,
    k,
    yes,
    no,
  });
  const isAtLeast = (k: number, yes: Goal, no: Goal): Step => ({
    code: JUMP.atLeast,
    k,
    yes,
    no,
  });
  const ordered = (lowTest: typeof isAbove, above: Goal, below: Goal): Step[] => [
    loadHigh,
    isAbove(high, above, 'on'),
    is(high, 'on', below),
    loadLow,
    lowTest(low, above, below),
  ];
  switch (op) {
    case 'SCMP_CMP_EQ':
      return [loadHigh, is(high, 'on', 'fail'), loadLow, is(low, 'next', 'fail')];
    case 'SCMP_CMP_NE':
      return [loadHigh, is(high, 'on', 'next'), loadLow, is(low, 'fail', 'next')];
    case 'SCMP_CMP_GT':
      return ordered(isAbove, 'next', 'fail');
    case 'SCMP_CMP_GE':
      return ordered(isAtLeast, 'next', 'fail');
    case 'SCMP_CMP_LT':
      return ordered(isAtLeast, 'fail', 'next');
    case 'SCMP_CMP_LE':
      return ordered(isAbove, 'fail', 'next');
    case 'SCMP_CMP_MASKED_EQ': {
      const [wantedLow, wantedHigh] = halves(valueTwo);
      return [
        loadHigh,
        { code: AND, k: high },
        is(wantedHigh, 'on', 'fail'),
        loadLow,
        { code: AND, k: low },
        is(wantedLow, 'next', 'fail'),
      ];
    }
    default:
      throw new Error(`${op}: no such comparison`);
  }
}

function halves(value: number): [low: number, high: number] {
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}
