// Profiles people bring: Docker's form and the runtime spec's.
import { describe, expect, it } from 'vitest';
import { seccompOf } from '../../../src/runner/spec/seccomp.ts';
import { parseSeccompProfile } from '../../../src/runner/spec/seccomp-profile.ts';
import { parseSecurityOptions } from '../../../src/runner/spec/security-options.ts';

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null, includes: {}, excludes: {} },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['unshare'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'] } },
    { name: 'write', action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 2, valueTwo: 0, op: 'SCMP_CMP_EQ' }] },
    { names: ['bpf'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { arches: ['arm64'] } },
  ],
};
const parsed = parseSeccompProfile(JSON.stringify(profile));
const namesFor = (architecture: string, capabilities: Array<'CAP_SYS_ADMIN'>) =>
  seccompOf(parsed, { architecture, capabilities }).syscalls.flatMap(({ names }) => names);

describe("a profile in Docker's form", () => {
  it('is narrowed to the capabilities and the architecture', () => {
    expect(namesFor('x64', [])).toEqual(['read', 'unshare', 'arch_prctl', 'write', 'bpf']);
    expect(namesFor('x64', ['CAP_SYS_ADMIN'])).toEqual(['read', 'mount', 'arch_prctl', 'write', 'bpf']);
    expect(namesFor('arm64', [])).toEqual(['read', 'unshare', 'write']);
  });

  it('becomes what the runtime spec has: one architecture, no conditions', () => {
    const seccomp = seccompOf(parsed, { architecture: 'x64', capabilities: [] });
    expect(seccomp).toMatchObject({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
    });
    expect(JSON.stringify(seccomp)).not.toMatch(/includes|excludes|archMap/);
  });
});

it.each([
  ['{', 'not JSON'],
  ['[]', 'the profile: not an object'],
  ['{}', 'defaultAction'],
  [{ defaultAction: 'ALLOW' }, 'defaultAction: not one of'],
  [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }, 'syscalls: not a list'],
  [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ action: 'SCMP_ACT_ALLOW' }] }, 'syscalls[0].names'],
  [
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['a'], action: 'SCMP_ACT_NOTIFY' }] },
    'syscalls[0].action',
  ],
  [
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_ALLOW', args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] },
      ],
    },
    'syscalls[0].args[0].index',
  ],
  [
    // 2^63: JSON in this program does not carry it exactly
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":9223372036854775808,"op":"SCMP_CMP_EQ"}]}]}',
    'syscalls[0].args[0].value',
  ],
])('names what is wrong in %j', (text, message) => {
  expect(() => parseSeccompProfile(typeof text === 'string' ? text : JSON.stringify(text))).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) }),
  );
});

it('has no filter for a machine nobody wrote one for', () => {
  expect(() => seccompOf(undefined, { architecture: 'mips', capabilities: [] })).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('seccomp=unconfined') }),
  );
});

describe('--security-opt', () => {
  it('knows both spellings', () => {
    expect(parseSecurityOptions(['no-new-privileges:false', 'seccomp:unconfined'])).toEqual({
      seccomp: 'unconfined',
      noNewPrivileges: false,
      unmask: false,
    });
    expect(parseSecurityOptions(['no-new-privileges', 'systempaths=unconfined'])).toEqual({
      seccomp: undefined,
      noNewPrivileges: true,
      unmask: true,
    });
  });

  it.each(['apparmor=x', 'label=disable', 'seccomp', 'no-new-privileges=maybe', 'privileged', ''])(
    'refuses %j',
    (option) => {
      expect(() => parseSecurityOptions([option])).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('seccomp=unconfined') }),
      );
    },
  );
});
