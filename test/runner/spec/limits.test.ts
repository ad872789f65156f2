// Limits, from what people write to what the kernel gets.
import { describe, expect, it } from 'vitest';
import {
  inMap,
  parseIdMap,
  parseLimits,
  readHostFacts,
  UNLIMITED,
} from '../../../src/runner/spec/host-facts.ts';
import { resourcesOf, rlimitsOf } from '../../../src/runner/spec/limits.ts';
import {
  parseCpus,
  parseMemory,
  parseMemoryLimit,
  parseUlimit,
} from '../../../src/runner/spec/parse-limits.ts';
import { networkSysctls } from '../../../src/runner/spec/sysctls.ts';
import { ROOTFUL, ROOTLESS } from './requests.ts';

describe('cgroup settings', () => {
  const facts = { swap: true, rootless: true };
  it.each([
    [{}, { pids: { limit: 2048 } }],
    [{ pidsLimit: -1 }, {}],
    [{ pidsLimit: 0 }, {}],
    [
      { pidsLimit: 7, memory: 100 },
      { pids: { limit: 7 }, memory: { limit: 100, swap: 200 } },
    ],
    [{ pidsLimit: 0, cpus: 1.5 }, { cpu: { quota: 150_000, period: 100_000 } }],
    [{ pidsLimit: 0, cpus: 0.001 }, { cpu: { quota: 1000, period: 100_000 } }],
  ])('%j', (request, expected) => {
    expect(resourcesOf(request, facts)).toEqual(expected);
  });

  it('leave swap alone where it is not accounted for', () => {
    expect(resourcesOf({ memory: 100 }, { swap: false, rootless: true }).memory).toEqual({ limit: 100 });
  });
});

describe('rlimits', () => {
  const nofile = [{ name: 'nofile', soft: 5000, hard: 100_000 }];
  const without = { ...ROOTFUL, bounding: [] };

  it('are what was asked for where this process may raise its own', () => {
    expect(rlimitsOf(nofile, ROOTFUL)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 5000, hard: 100_000 }]);
  });

  it('are lowered to our own where it may not: without CAP_SYS_RESOURCE, or in a user namespace', () => {
    for (const host of [without, ROOTLESS]) {
      expect(rlimitsOf(nofile, host)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 4096, hard: 4096 }]);
    }
  });

  it('of one name twice: the last', () => {
    expect(rlimitsOf([...nofile, { name: 'nofile', soft: 1, hard: 2 }], ROOTFUL)).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 1, hard: 2 },
    ]);
  });

  it('for open files stop at the kernel’s own bound, which nobody may pass', () => {
    expect(rlimitsOf([{ name: 'nofile', soft: UNLIMITED, hard: UNLIMITED }], ROOTFUL)).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 1_048_576, hard: 1_048_576 },
    ]);
  });
});

describe('what people write', () => {
  it.each([
    ['512m', 512 << 20],
    ['1g', 1 << 30],
    ['1.5G', 1.5 * 2 ** 30],
    ['100MiB', 100 << 20],
    ['100mb', 100 << 20],
    ['8388608', 8388608],
    ['2t', 2 * 2 ** 40],
  ])('--memory %s', (text, bytes) => {
    expect(parseMemoryLimit(text)).toBe(bytes);
  });

  it.each(['', 'x', '-1', '5x', '1e9', '4m', '0', '99999999t'])('--memory %j is refused', (text) => {
    expect(() => parseMemoryLimit(text)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringMatching(/^--memory /),
        hint: expect.any(String),
      }),
    );
  });

  it('--shm-size may be small', () => {
    expect(parseMemory('--shm-size', '4k')).toBe(4096);
    expect(() => parseMemory('--shm-size', '0')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it.each([
    ['2', 2],
    ['0.5', 0.5],
    ['.5', 0.5],
    ['3.', 3],
  ])('--cpus %s', (text, cpus) => {
    expect(parseCpus(text)).toBe(cpus);
  });

  it.each(['0', 'all', '-1', '0.001', 'Infinity', '', '1e3'])('--cpus %j is refused', (text) => {
    expect(() => parseCpus(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it.each([
    ['nofile=1024', { name: 'nofile', soft: 1024, hard: 1024 }],
    ['nofile=1024:2048', { name: 'nofile', soft: 1024, hard: 2048 }],
    ['memlock=-1:-1', { name: 'memlock', soft: UNLIMITED, hard: UNLIMITED }],
    ['core=0:unlimited', { name: 'core', soft: 0, hard: UNLIMITED }],
  ])('--ulimit %s', (text, limit) => {
    expect(parseUlimit(text)).toEqual(limit);
  });

  it.each(['nofile', 'nofile=', 'nofile=5:4', 'files=5', 'nofile=x', 'nofile=1:2:3'])(
    '--ulimit %j is refused',
    (text) => {
      expect(() => parseUlimit(text)).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.any(String) }),
      );
    },
  );
});

describe('facts of this machine', () => {
  it('are read', () => {
    const facts = readHostFacts();
    expect(facts.architecture).toBe(process.arch);
    expect(facts.rlimits.map(({ type }) => type)).toContain('RLIMIT_NOFILE');
    expect(inMap(facts.ids.uids, 0)).toBe(true);
  });

  it('id maps and limits are read as the kernel prints them', () => {
    expect(parseIdMap('         0       4001          1\n         1     300000      65536\n')).toEqual(
      ROOTLESS.ids.uids,
    );
    expect(
      parseLimits(
        'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 unlimited            files     \n',
      ),
    ).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1024, hard: UNLIMITED }]);
  });

  it('the ping range stays inside the group map', () => {
    const range = (size: number) =>
      networkSysctls([{ containerID: 0, hostID: 0, size }])['net.ipv4.ping_group_range'];
    expect(range(0xffffffff)).toBe('0 2147483647');
    expect(range(1)).toBe('0 0');
    expect(networkSysctls(ROOTLESS.ids.gids)).toMatchObject({ 'net.ipv4.ping_group_range': '0 65536' });
    expect(networkSysctls([{ containerID: 5, hostID: 5, size: 1 }])).not.toHaveProperty([
      'net.ipv4.ping_group_range',
    ]);
  });
});
