import { expect, it } from 'vitest';
import { exitStatus } from '../../../src/runner/builtin/spawn.ts';

it('reads a wait status: codes, signals, signals with a core, and those without a name', () => {
  expect(exitStatus(0)).toEqual({ code: 0 });
  expect(exitStatus(255 << 8)).toEqual({ code: 255 });
  expect(exitStatus(9)).toEqual({ signal: 'SIGKILL' });
  expect(exitStatus(11 | 0x80)).toEqual({ signal: 'SIGSEGV' });
  expect(exitStatus(35)).toEqual({ code: 163 });
});
