// Requests and machines for the tests of the generator: plain ones, and random ones.
import fc from 'fast-check';
import type { RunConfig } from '../../../src/manifest/config.ts';
import { CAPABILITIES } from '../../../src/runner/spec/capabilities.ts';
import type { GenerateInput } from '../../../src/runner/spec/generate.ts';
import type { HostFacts } from '../../../src/runner/spec/host-facts.ts';
import { ULIMITS } from '../../../src/runner/spec/limits.ts';
import { type MountRequest, plainRequest, type RunRequest } from '../../../src/runner/spec/run-request.ts';

const WHOLE = [{ containerID: 0, hostID: 0, size: 0xffffffff }];

/** Root of the machine. */
export const ROOTFUL: HostFacts = {
  architecture: 'x64',
  rootless: false,
  ids: { uids: WHOLE, gids: WHOLE, setgroups: true },
  bounding: [...CAPABILITIES],
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }],
  maskedPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};

const SUBIDS = [
  { containerID: 0, hostID: 4001, size: 1 },
  { containerID: 1, hostID: 300_000, size: 65536 },
];

/** Root of a normal user's namespace. */
export const ROOTLESS: HostFacts = {
  ...ROOTFUL,
  rootless: true,
  ids: { uids: SUBIDS, gids: SUBIDS, setgroups: true },
};

const ONE_ID = [{ containerID: 0, hostID: 4001, size: 1 }];

/** A normal user's without subordinate ids. */
export const ONE_USER: HostFacts = {
  ...ROOTLESS,
  ids: { uids: ONE_ID, gids: ONE_ID, setgroups: false },
};

export function requestOf(changes: Partial<RunRequest> = {}): RunRequest {
  return plainRequest({ command: ['true'], ...changes });
}

export function inputOf(changes: Partial<GenerateInput> = {}): GenerateInput {
  return {
    id: '0123456789abcdef'.repeat(4),
    image: {},
    request: requestOf(),
    user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
    host: ROOTFUL,
    rootfs: '/store/rootfs',
    network: 'monitor',
    ...changes,
  };
}

const word = fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/);
const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((parts) => `/mnt/${parts.join('/')}`);
const variable = fc
  .tuple(fc.stringMatching(/^[A-Z_]{1,8}$/), fc.string({ maxLength: 20 }))
  .map((pair) => pair.join('='));
const args = fc.array(fc.string({ maxLength: 20 }), { maxLength: 4 });
const capability = fc.oneof(fc.constant('ALL'), fc.constantFrom(...CAPABILITIES));

const mount: fc.Arbitrary<MountRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('bind' as const),
    source: path,
    target: path,
    readonly: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('tmpfs' as const),
    target: path,
    options: fc.constant<string[]>(['size=1024']),
  }),
);

export const someImage: fc.Arbitrary<RunConfig> = fc.record(
  {
    Env: fc.array(variable, { maxLength: 5 }),
    Entrypoint: args,
    Cmd: args,
    WorkingDir: path,
    Labels: fc.dictionary(word, fc.string({ maxLength: 10 })),
    User: word,
  },
  { requiredKeys: [] },
);

export const someRequest: fc.Arbitrary<RunRequest> = fc
  .record(
    {
      command: fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 4 }),
      entrypoint: args,
      env: fc.array(variable, { maxLength: 5 }),
      workdir: path,
      mounts: fc.uniqueArray(mount, { selector: ({ target }) => target, maxLength: 5 }),
      readonly: fc.boolean(),
      hostname: word,
      labels: fc.dictionary(word, fc.string({ maxLength: 10 })),
      memory: fc.integer({ min: 6 << 20, max: 2 ** 40 }),
      cpus: fc.double({ min: 0.01, max: 512, noNaN: true }),
      pidsLimit: fc.integer({ min: -1, max: 100_000 }),
      shmSize: fc.integer({ min: 1, max: 2 ** 40 }),
      capAdd: fc.array(capability, { maxLength: 4 }),
      capDrop: fc.array(capability, { maxLength: 4 }),
      securityOpt: fc.subarray(['seccomp=unconfined', 'no-new-privileges=false', 'systempaths=unconfined']),
      ulimits: fc.array(
        fc.record({
          name: fc.constantFrom(...Object.keys(ULIMITS)),
          soft: fc.integer({ min: 0, max: 1 << 20 }),
          hard: fc.integer({ min: 1 << 20, max: 1 << 30 }),
        }),
        { maxLength: 3 },
      ),
      terminal: fc.boolean(),
    },
    { requiredKeys: ['command'] },
  )
  .map(requestOf);
