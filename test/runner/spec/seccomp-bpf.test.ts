// The filter as the kernel would run it, for every system call of both architectures, and once for real.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CAPABILITIES,
  type Capability,
  DEFAULT_CAPABILITIES,
} from '../../../src/runner/spec/capabilities.ts';
import type { Seccomp, SyscallRule } from '../../../src/runner/spec/runtime-spec.ts';
import { seccompOf } from '../../../src/runner/spec/seccomp.ts';
import { compileSeccomp } from '../../../src/runner/spec/seccomp-bpf.ts';
import { ALLOWED, ALLOWED_WITH, REFUSED } from '../../../src/runner/spec/seccomp-syscalls.ts';
import { syscallNumbers } from '../../../src/runner/spec/syscall-numbers.ts';
import { runFilter } from '../../support/bpf-machine.ts';
import { hasTools } from '../../support/tools.ts';

const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const ERRNO = 0x00050000;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];

type Architecture = keyof typeof AUDIT;

function filterFor(architecture: Architecture, capabilities: readonly Capability[] = DEFAULT_CAPABILITIES) {
  const program = compileSeccomp(seccompOf(undefined, { architecture, capabilities }), architecture);
  const numbers = syscallNumbers(architecture) as ReadonlyMap<string, number>;
  return {
    program,
    numbers,
    ask: (name: string, ...args: bigint[]): number => {
      const number = numbers.get(name);
      if (number === undefined) throw new Error(`${name} is not on ${architecture}`);
      return runFilter(program, { architecture: AUDIT[architecture], number, args }).result;
    },
  };
}

describe.each(['x64', 'arm64'] as const)('the default filter on %s', (architecture) => {
  const { program, numbers, ask } = filterFor(architecture);
  const conditional = ['clone', 'personality', 'socket'];
  const granted = new Set([...ALLOWED, ...DEFAULT_CAPABILITIES.flatMap((name) => ALLOWED_WITH[name] ?? [])]);

  it('fits', () => {
    expect(program.length / 8).toBeLessThan(700);
  });

  it('allows exactly what is listed, in a few steps', () => {
    for (const [name, number] of numbers) {
      if (conditional.includes(name)) continue;
      const { result, steps } = runFilter(program, { architecture: AUDIT[architecture], number });
      const expected = granted.has(name) ? ALLOW : name === 'clone3' ? ERRNO + ENOSYS : undefined;
      if (expected === undefined)
        expect([name, [ERRNO + EPERM, ERRNO + ENOSYS].includes(result)]).toEqual([name, true]);
      else expect([name, result]).toEqual([name, expected]);
      expect(steps).toBeLessThan(30);
    }
  });

  it('answers ENOSYS to numbers that nobody knows yet', () => {
    const known = new Set(numbers.values());
    for (let number = 0; number < 0x1000; number++) {
      if (known.has(number)) continue;
      const { result } = runFilter(program, { architecture: AUDIT[architecture], number });
      expect([number, result]).toEqual([number, ERRNO + ENOSYS]);
    }
  });

  it('kills programs of every other architecture', () => {
    for (const other of [0x40000003, 0x40000028, AUDIT[architecture === 'x64' ? 'arm64' : 'x64'], 0]) {
      expect(runFilter(program, { architecture: other, number: 0 }).result).toBe(KILL);
    }
  });

  it('refuses every flag of clone that makes a namespace, alone and with others', () => {
    expect(ask('clone', 0x11n)).toBe(ALLOW);
    expect(ask('clone', 0x3d0f00n)).toBe(ALLOW);
    for (const bit of [17n, 25n, 26n, 27n, 28n, 29n, 30n]) {
      expect(ask('clone', 1n << bit)).toBe(ERRNO + EPERM);
      expect(ask('clone', (1n << bit) | 0x3d0f00n)).toBe(ERRNO + EPERM);
      // The kernel passes over the upper half.
      expect(ask('clone', (0xffffn << 32n) | (1n << bit))).toBe(ERRNO + EPERM);
    }
  });

  it('refuses sockets of odd families, also with rubbish in the upper half, which the kernel passes over', () => {
    for (const family of [1n, 2n, 10n, 16n, 17n]) expect(ask('socket', family)).toBe(ALLOW);
    for (const family of [38n, 40n, 44n, 45n, 0xffffffffn])
      expect(ask('socket', family)).toBe(ERRNO + EAFNOSUPPORT);
    expect(ask('socket', (1n << 32n) | 40n)).toBe(ERRNO + EAFNOSUPPORT);
    expect(ask('socket', -1n)).toBe(ERRNO + EAFNOSUPPORT);
  });

  it('allows the usual personalities only', () => {
    for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn])
      expect(ask('personality', persona)).toBe(ALLOW);
    for (const persona of [1n, 6n, 0x0400000n, (1n << 32n) | 8n])
      expect(ask('personality', persona)).toBe(ERRNO + ENOSYS);
  });
});

it('kills x32 programs', () => {
  const { program } = filterFor('x64');
  expect(runFilter(program, { architecture: AUDIT.x64, number: 0x40000000 }).result).toBe(KILL);
  expect(runFilter(program, { architecture: AUDIT.x64, number: 0xffffffff }).result).toBe(KILL);
});

it.each(CAPABILITIES)('allows with %s what it is for, and nothing else', (capability) => {
  const { ask, numbers } = filterFor('x64', [capability]);
  const open = [...numbers.keys()].filter((name) => ask(name) === ALLOW && !ALLOWED.includes(name));
  const own = (ALLOWED_WITH[capability] ?? []).filter((name) => numbers.has(name));
  expect(open.sort()).toEqual([...new Set([...own, 'clone', 'personality', 'socket'])].sort());
});

it('knows each name it lists on one of the architectures, and lists none twice', () => {
  const known = new Set([
    ...(syscallNumbers('x64')?.keys() ?? []),
    ...(syscallNumbers('arm64')?.keys() ?? []),
  ]);
  const listed = [...ALLOWED, ...REFUSED, ...Object.values(ALLOWED_WITH).flat()];
  expect(listed.filter((name) => !known.has(name))).toEqual([]);
  expect(new Set(ALLOWED).size).toBe(ALLOWED.length);
  expect(
    [...REFUSED, ...Object.values(ALLOWED_WITH).flat()].filter((name) => ALLOWED.includes(name)),
  ).toEqual([]);
  const decided = new Set([...listed, 'clone', 'clone3', 'personality', 'socket']);
  // Numbers that were never anything.
  expect([...known].filter((name) => !decided.has(name)).sort()).toEqual([
    'afs_syscall',
    'epoll_ctl_old',
    'epoll_wait_old',
    'getpmsg',
    'putpmsg',
    'security',
    'tuxcall',
    'vserver',
  ]);
});

describe('comparisons of 64-bit arguments', () => {
  const holds: Record<string, (arg: bigint, value: bigint, two: bigint) => boolean> = {
    SCMP_CMP_EQ: (arg, value) => arg === value,
    SCMP_CMP_NE: (arg, value) => arg !== value,
    SCMP_CMP_LT: (arg, value) => arg < value,
    SCMP_CMP_LE: (arg, value) => arg <= value,
    SCMP_CMP_GT: (arg, value) => arg > value,
    SCMP_CMP_GE: (arg, value) => arg >= value,
    SCMP_CMP_MASKED_EQ: (arg, mask, value) => (arg & mask) === value,
  };
  /** Halves that are equal, next to each other, or at the ends: where a comparison in two steps goes wrong. */
  const half = fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff);
  const arg = fc.tuple(half, half).map(([high, low]) => (BigInt(high) << 32n) | BigInt(low));
  const value = fc
    .tuple(fc.constantFrom(0, 1, 2, 0x1ffffe, 0x1fffff), half)
    .map(([high, low]) => high * 2 ** 32 + low);
  const test = fc.record({
    index: fc.integer({ min: 0, max: 5 }),
    op: fc.constantFrom(...Object.keys(holds)),
    value,
    valueTwo: value,
  });

  it('equal plain arithmetic, for all rules of a call in turn', () => {
    const rule = fc.record({
      args: fc.uniqueArray(test, { selector: ({ index }) => index, minLength: 1, maxLength: 6 }),
      errno: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 4 }),
        fc.tuple(arg, arg, arg, arg, arg, arg),
        (rules, args) => {
          const seccomp: Seccomp = {
            defaultAction: 'SCMP_ACT_ALLOW',
            architectures: ['SCMP_ARCH_X86_64'],
            syscalls: rules.map(
              ({ args: tests, errno }): SyscallRule => ({
                names: ['read'],
                action: 'SCMP_ACT_ERRNO',
                errnoRet: errno,
                args: tests,
              }),
            ),
          };
          const first = rules.find(({ args: tests }) =>
            tests.every(({ index, op, value: one, valueTwo }) =>
              holds[op]?.(args[index] as bigint, BigInt(one), BigInt(valueTwo)),
            ),
          );
          const { result } = runFilter(compileSeccomp(seccomp, 'x64'), {
            architecture: AUDIT.x64,
            number: 0,
            args,
          });
          expect(result).toBe(first === undefined ? ALLOW : ERRNO + first.errno);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('of one argument twice are alternatives, as runc reads them', () => {
    const equal = (value: number) => ({ index: 0, op: 'SCMP_CMP_EQ', value });
    const seccomp: Seccomp = {
      defaultAction: 'SCMP_ACT_KILL_PROCESS',
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [{ names: ['close'], action: 'SCMP_ACT_ALLOW', args: [equal(1), equal(2)] }],
    };
    const program = compileSeccomp(seccomp, 'x64');
    const ask = (fd: bigint) => runFilter(program, { architecture: AUDIT.x64, number: 3, args: [fd] }).result;
    expect([ask(1n), ask(2n), ask(3n)]).toEqual([ALLOW, ALLOW, KILL]);
  });
});

it('refuses what it cannot express', () => {
  const seccomp = seccompOf(undefined, { architecture: 'x64', capabilities: [] });
  expect(() => compileSeccomp(seccomp, 'riscv64')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  expect(() => compileSeccomp({ ...seccomp, defaultAction: 'SCMP_ACT_NOTIFY' }, 'x64')).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED' }),
  );
});

/** Loads the filter from a file, then does what a container may and may not. */
const PROGRAM = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static struct sock_filter code[4096];
  int fd = open(argv[1], O_RDONLY);
  struct sock_fprog program = { read(fd, code, sizeof code) / sizeof *code, code };
  close(fd);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) return 9;
  printf("unshare %d\\n", unshare(CLONE_NEWUSER) ? errno : 0);
  printf("clone3 %d\\n", syscall(SYS_clone3, 0, 0) ? errno : 0);
  printf("vsock %d\\n", socket(40, SOCK_STREAM, 0) < 0 ? errno : 0);
  printf("vsock with an upper half %d\\n", syscall(SYS_socket, 0x100000028ul, SOCK_STREAM, 0) < 0 ? errno : 0);
  printf("socket %d\\n", socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0);
  printf("keyctl %d\\n", syscall(SYS_keyctl, 0, 0) < 0 ? errno : 0);
  printf("unknown %d\\n", syscall(999) < 0 ? errno : 0);
  fflush(stdout);
  if (fork() == 0) _exit(7);
  int status; wait(&status);
  printf("fork %d\\n", WEXITSTATUS(status));
  return 0;
}`;

it.skipIf(!hasTools('gcc') || !['x64', 'arm64'].includes(process.arch))(
  'is taken by the kernel, and means it',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'ocitool-bpf-'));
    try {
      writeFileSync(join(folder, 'try.c'), PROGRAM);
      const built = spawnSync('gcc', ['-w', '-o', join(folder, 'try'), join(folder, 'try.c')], {
        encoding: 'utf8',
      });
      expect(built.stderr).toBe('');
      writeFileSync(join(folder, 'filter'), filterFor(process.arch as Architecture).program);
      const { stdout, status } = spawnSync(join(folder, 'try'), [join(folder, 'filter')], {
        encoding: 'utf8',
      });
      expect({ status, lines: stdout.trim().split('\n') }).toEqual({
        status: 0,
        lines: [
          `unshare ${EPERM}`,
          `clone3 ${ENOSYS}`,
          `vsock ${EAFNOSUPPORT}`,
          `vsock with an upper half ${EAFNOSUPPORT}`,
          'socket 0',
          `keyctl ${EPERM}`,
          `unknown ${ENOSYS}`,
          'fork 7',
        ],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
