// The spec as a whole: valid for every runtime, and never looser than what was asked for.
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAPABILITIES, DEFAULT_CAPABILITIES } from '../../../src/runner/spec/capabilities.ts';
import { generateSpec } from '../../../src/runner/spec/generate.ts';
import type { RuntimeSpec } from '../../../src/runner/spec/runtime-spec.ts';
import { corpusJson } from '../../support/corpora.ts';
import { inputOf, ONE_USER, ROOTFUL, ROOTLESS, requestOf, someImage, someRequest } from './requests.ts';

/** The runtime specification's own schema; it is draft 4, of which ajv 8 minds only the keyword `id`. */
function schema(): ((spec: unknown) => string[]) | undefined {
  const files = ['config-schema.json', 'defs.json', 'config-linux.json', 'defs-linux.json'];
  const others = ['solaris', 'windows', 'vm', 'zos', 'freebsd'].flatMap((name) => [`config-${name}.json`]);
  const defs = ['defs-windows.json', 'defs-vm.json', 'defs-zos.json', 'defs-freebsd.json'];
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  for (const name of [...files, ...others, ...defs]) {
    const document = corpusJson<Record<string, unknown>>(`runtime-config/schema/${name}`);
    if (document === undefined) return undefined;
    const { $schema: _draft, id: _id, ...rest } = document;
    ajv.addSchema(rest, name);
  }
  const validate = ajv.getSchema('config-schema.json');
  if (validate === undefined) throw new Error('no schema');
  return (spec) => {
    // As a runtime would read it.
    void validate(JSON.parse(JSON.stringify(spec)));
    return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

const errorsOf = schema();

describe.skipIf(errorsOf === undefined)("the runtime specification's schema", () => {
  const problems = (spec: unknown): string[] => errorsOf?.(spec) ?? [];

  it('refuses what is no spec, so that it can be trusted below', () => {
    const spec = generateSpec(inputOf());
    expect(problems(spec)).toEqual([]);
    expect(problems({ ...spec, ociVersion: 1 })).not.toEqual([]);
    expect(
      problems({ ...spec, linux: { ...spec.linux, namespaces: [{ type: 'time travel' }] } }),
    ).not.toEqual([]);
    expect(
      problems({ ...spec, linux: { ...spec.linux, resources: { memory: { limit: 'much' } } } }),
    ).not.toEqual([]);
  });

  it('accepts every spec of random images and requests', () => {
    fc.assert(
      fc.property(
        someImage,
        someRequest,
        fc.constantFrom(ROOTFUL, ROOTLESS, ONE_USER),
        fc.constantFrom('monitor' as const, 'host' as const, 'new' as const),
        fc.boolean(),
        (image, request, host, network, swap) => {
          const spec = generateSpec(
            inputOf({
              image: { ...image, Entrypoint: ['x'] },
              request,
              host,
              network,
              cgroup: { path: '/x', swap },
            }),
          );
          expect(problems(spec)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('capabilities', () => {
  it('are never more than asked for, nor than this process has', () => {
    fc.assert(
      fc.property(
        someRequest,
        fc.subarray([...CAPABILITIES]),
        fc.integer({ min: 0, max: 3 }),
        (request, ours, uid) => {
          let spec: RuntimeSpec;
          try {
            spec = generateSpec(
              inputOf({
                request,
                host: { ...ROOTFUL, bounding: ours },
                user: { uid, gid: 0, additionalGids: [], home: '/' },
              }),
            );
          } catch {
            return; // refused is not more
          }
          const { bounding, effective, permitted, inheritable, ambient } = spec.process.capabilities;
          const asked = new Set<string>(
            request.capAdd.includes('ALL') ? CAPABILITIES : [...DEFAULT_CAPABILITIES, ...request.capAdd],
          );
          const dropped = request.capDrop.filter((name) => name !== 'ALL');
          expect(bounding.filter((name) => !asked.has(name) || !ours.includes(name as never))).toEqual([]);
          expect(bounding.filter((name) => dropped.includes(name))).toEqual([]);
          expect([...inheritable, ...ambient]).toEqual([]);
          expect(effective).toEqual(uid === 0 ? bounding : []);
          expect(permitted).toEqual(effective);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('isolation', () => {
  it('shares no namespace but the network, which the monitor has made', () => {
    const types = generateSpec(inputOf()).linux.namespaces.map(({ type }) => type);
    expect(types.sort()).toEqual(['cgroup', 'ipc', 'mount', 'pid', 'uts']);
    const bundle = generateSpec(inputOf({ network: 'new' })).linux.namespaces.map(({ type }) => type);
    expect(bundle).toContain('network');
  });

  it('makes a user namespace only where maps are given', () => {
    const maps = {
      uids: [{ containerID: 0, hostID: 1000, size: 1 }],
      gids: [{ containerID: 0, hostID: 1000, size: 1 }],
    };
    const { linux, mounts, process } = generateSpec(inputOf({ userNamespace: maps, network: 'new' }));
    expect(linux.namespaces).toContainEqual({ type: 'user' });
    expect(linux.uidMappings).toEqual(maps.uids);
    expect(linux.sysctl).toEqual({
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': '0 0',
    });
    expect(mounts.find(({ type }) => type === 'devpts')?.options.join()).not.toContain('gid=');
    expect(process.user.gid).toBe(0);
  });

  it('sets no_new_privs and a filter unless told not to', () => {
    const strict = generateSpec(inputOf());
    expect(strict.process.noNewPrivileges).toBe(true);
    expect(strict.linux.seccomp?.defaultAction).toBe('SCMP_ACT_ERRNO');
    const loose = generateSpec(
      inputOf({ request: requestOf({ securityOpt: ['seccomp=unconfined', 'no-new-privileges:false'] }) }),
    );
    expect(loose.process.noNewPrivileges).toBe(false);
    expect(loose.linux.seccomp).toBeUndefined();
  });

  it('hides what Docker and Podman hide, and more on machines with more', () => {
    const { maskedPaths, readonlyPaths } = generateSpec(inputOf()).linux;
    expect(maskedPaths).toEqual(expect.arrayContaining(['/proc/kcore', '/proc/interrupts', '/sys/firmware']));
    expect(maskedPaths).toContain('/sys/devices/system/cpu/cpu0/thermal_throttle');
    expect(readonlyPaths).toEqual(expect.arrayContaining(['/proc/sys', '/proc/sysrq-trigger']));
  });

  it('gives the primary group as a further one too (CVE-2022-36109)', () => {
    const user = { uid: 5, gid: 7, additionalGids: [8, 7], home: '/' };
    expect(generateSpec(inputOf({ user })).process.user).toEqual({
      uid: 5,
      gid: 7,
      additionalGids: [7, 8],
      umask: 0o022,
    });
  });

  it('gives no further groups where setgroups is denied', () => {
    const user = { uid: 0, gid: 0, additionalGids: [], home: '/' };
    expect(generateSpec(inputOf({ user, host: ONE_USER })).process.user.additionalGids).toEqual([]);
  });

  it('refuses a user who has no id on this machine', () => {
    const user = { uid: 70_000, gid: 0, additionalGids: [], home: '/' };
    expect(() => generateSpec(inputOf({ user, host: ROOTLESS }))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('/etc/subuid') }),
    );
  });

  it('tells one without subordinate ids what can be done', () => {
    const user = { uid: 5, gid: 0, additionalGids: [], home: '/' };
    expect(() => generateSpec(inputOf({ user, host: ONE_USER }))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('--user 0') }),
    );
  });

  it('leaves devices to the host in a user namespace, where no rule about them can be set', () => {
    const cgroup = { path: '/x', swap: false };
    expect(generateSpec(inputOf({ cgroup, host: ROOTLESS })).linux.resources?.devices).toBeUndefined();
    const [first, ...rest] = generateSpec(inputOf({ cgroup })).linux.resources?.devices ?? [];
    expect(first).toEqual({ allow: false, access: 'rwm' });
    expect(rest.every(({ type, major }) => type === 'c' && major !== undefined)).toBe(true);
  });
});

describe('--init', () => {
  it('puts the given program before the command, in /dev where no image can be', () => {
    const { process, mounts } = generateSpec(
      inputOf({ request: requestOf({ init: true, command: ['sleep', '1'] }), init: '/usr/bin/tini-static' }),
    );
    expect(process.args).toEqual(['/dev/init', '--', 'sleep', '1']);
    expect(mounts.at(-1)).toMatchObject({ destination: '/dev/init', source: '/usr/bin/tini-static' });
  });
});

it('keeps labels of the image and the request as annotations, the request having the last word', () => {
  const { annotations } = generateSpec(
    inputOf({
      image: { Labels: { a: '1', b: '1' } },
      request: requestOf({ labels: { b: '2' } }),
      annotations: { c: '3' },
    }),
  );
  expect(annotations).toEqual({ a: '1', b: '2', c: '3' });
});

it('is pure: the same input gives the same spec and stays as it was', () => {
  const input = inputOf({ image: { Env: ['A=1'], Volumes: {} } });
  const before = structuredClone(input);
  expect(generateSpec(input)).toEqual(generateSpec(input));
  expect(input).toEqual(before);
});
