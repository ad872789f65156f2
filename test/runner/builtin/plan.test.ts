// The order of a plan is its security: these tests say which step must come before which, whatever the spec asks for.
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/runner/builtin/operation.ts';
import { type PlanFacts, planExec, planLaunch } from '../../../src/runner/builtin/plan.ts';
import { generateSpec } from '../../../src/runner/spec/generate.ts';
import { inputOf, requestOf } from '../spec/requests.ts';

const FACTS: PlanFacts = {
  rootless: false,
  setgroups: true,
  cgroups: ['/sys/fs/cgroup/pids/x/cgroup.procs'],
  unified: false,
  filter: { program: 'AAAA', flags: 0 },
};

const full = () => {
  const request = requestOf({
    terminal: true,
    readonly: true,
    mounts: [{ kind: 'bind', source: '/srv/data', target: '/data', readonly: true }],
  });
  const user = { uid: 1000, gid: 1000, additionalGids: [], home: '/' };
  const spec = generateSpec(inputOf({ request, user, network: 'new' }));
  spec.process.oomScoreAdj = 500;
  spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }];
  return spec;
};

function positions(plan: Operation[], ...names: Operation['do'][]): number[] {
  return plan.flatMap((operation, index) => (names.includes(operation.do) ? [index] : []));
}

const first = (plan: Operation[], name: Operation['do']): number => positions(plan, name)[0] ?? Number.NaN;
const last = (plan: Operation[], ...names: Operation['do'][]): number =>
  positions(plan, ...names).at(-1) ?? Number.NaN;

/** What looks at a path of the container. */
const INSIDE: Operation['do'][] = [
  'attach',
  'device',
  'link',
  'sysctl',
  'read-only',
  'mask',
  'make-directory',
  'seal-root',
  'terminal',
  'console',
  'own-null',
  'working-directory',
  'execute',
];
/** What looks at a path of the host, or needs the host's /proc. */
const OUTSIDE: Operation['do'][] = ['oom-score', 'enter-cgroup', 'join-path', 'open-root', 'make', 'clone'];

describe('a launch', () => {
  it('looks at no path of the image before the pivot, and at none of the host after it', () => {
    for (const rootless of [false, true]) {
      const plan = planLaunch(full(), { ...FACTS, rootless });
      const pivot = first(plan, 'pivot');
      expect(positions(plan, ...INSIDE).filter((index) => index < pivot)).toEqual([]);
      expect(positions(plan, ...OUTSIDE).filter((index) => index > pivot)).toEqual([]);
    }
  });

  it('pivots once, in a mount namespace of its own whose mounts go nowhere else', () => {
    const spec = full();
    spec.linux.namespaces = [];
    const plan = planLaunch(spec, FACTS);
    expect(plan.filter((operation) => operation.do === 'unshare')).toEqual([
      { do: 'unshare', namespaces: ['mount'] },
    ]);
    expect(positions(plan, 'pivot')).toHaveLength(1);
    const order = ['unshare', 'stop-propagation', 'open-root', 'pivot'] as const;
    const found = order.map((name) => first(plan, name));
    expect(found).toEqual(found.toSorted((a, b) => a - b));
  });

  it('joins its cgroups before the cgroup namespace, which begins where the process is', () => {
    const plan = planLaunch(full(), FACTS);
    expect(first(plan, 'enter-cgroup')).toBeLessThan(first(plan, 'unshare'));
  });

  it('makes what it attaches, once each', () => {
    const plan = planLaunch(full(), { ...FACTS, rootless: true });
    const made = plan.flatMap((operation) =>
      operation.do === 'make' || operation.do === 'clone' ? [operation.slot] : [],
    );
    const used = plan.flatMap((operation) => (operation.do === 'attach' ? [operation.slot] : []));
    expect(used.toSorted()).toEqual(made.toSorted());
    expect(new Set(used).size).toBe(used.length);
  });

  it('follows no link to /proc, /sys, /dev and what is below them', () => {
    const targets = planLaunch(full(), FACTS).flatMap((operation) =>
      operation.do === 'attach' ? [[operation.target, operation.links] as const] : [],
    );
    const kernels = targets.filter(([target]) => /^\/(proc|sys|dev)/.test(target));
    expect(kernels.length).toBeGreaterThan(4);
    expect(kernels.filter(([, links]) => links)).toEqual([]);
    expect(targets.find(([target]) => target === '/data')).toEqual(['/data', true]);
  });

  it('lets no device of the image or of a volume be opened', () => {
    const plan = planLaunch(full(), FACTS);
    expect(plan.find((operation) => operation.do === 'open-root')).toMatchObject({ attributes: ['nodev'] });
    const data = plan.find((operation) => operation.do === 'attach' && operation.target === '/data');
    expect(data).toMatchObject({ nodev: true, attributes: ['ro'], recursive: true });
  });

  it('makes devices as root, and binds the host’s where it may not', () => {
    const paths = (plan: Operation[]) =>
      plan.flatMap((operation) => (operation.do === 'device' ? [operation.path] : []));
    const made = paths(planLaunch(full(), FACTS));
    expect(made).toEqual(['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty']);
    const rootless = planLaunch(full(), { ...FACTS, rootless: true });
    expect(paths(rootless)).toEqual([]);
    const bound = rootless.flatMap((operation) => (operation.do === 'clone' ? [operation.source] : []));
    expect(bound).toEqual(['/srv/data', ...made]);
  });

  it('fills no /dev but the one it mounted', () => {
    const spec = full();
    spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev');
    expect(positions(planLaunch(spec, FACTS), 'device', 'link')).toEqual([]);
  });

  it('writes settings of the kernel before /proc/sys is read-only, and masks after everything is there', () => {
    const plan = planLaunch(full(), FACTS);
    expect(last(plan, 'sysctl')).toBeLessThan(first(plan, 'read-only'));
    expect(last(plan, 'attach', 'device')).toBeLessThan(first(plan, 'mask'));
    expect(last(plan, 'mask')).toBeLessThan(first(plan, 'new-session'));
  });

  it('seals a read-only root once nothing more is made in it', () => {
    const plan = planLaunch(full(), FACTS);
    expect(first(plan, 'seal-root')).toBeGreaterThan(last(plan, 'attach', 'device', 'make-directory'));
    const writable = full();
    writable.root.readonly = false;
    expect(positions(planLaunch(writable, FACTS), 'seal-root')).toEqual([]);
  });

  it('leaves the cgroup file systems of version 1 out, and mounts that of version 2', () => {
    const spec = full();
    spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] });
    const types = (facts: PlanFacts) =>
      planLaunch(spec, facts).flatMap((operation) => (operation.do === 'make' ? [operation.type] : []));
    expect(types(FACTS)).not.toContain('cgroup');
    expect(types(FACTS)).not.toContain('cgroup2');
    expect(types({ ...FACTS, unified: true })).toContain('cgroup2');
  });
});

describe.each([
  ['a launch', planLaunch],
  ['an exec', planExec],
])('%s becomes its program', (_, plan) => {
  it('gives up rights in the order that each next step needs', () => {
    const order = [
      'new-session',
      'limit',
      'bounding',
      'keep-capabilities',
      'groups',
      'gid',
      'uid',
      'capabilities',
      'ambient',
      'working-directory',
      'no-new-privileges',
      'seccomp',
      'die-with-starter',
      'close-others',
      'execute',
    ] as const;
    const found = order.map((name) => last(plan(full(), FACTS), name));
    expect(found).toEqual(found.toSorted((a, b) => a - b));
    expect(found).not.toContain(Number.NaN);
  });

  it('dies with its starter from the beginning, and says so again after the last change of credentials', () => {
    const operations = plan(full(), FACTS);
    expect(operations[0]).toEqual({ do: 'die-with-starter' });
    expect(operations.slice(-3).map((operation) => operation.do)).toEqual([
      'die-with-starter',
      'close-others',
      'execute',
    ]);
  });

  it('is hidden from the container before it is in any of its namespaces', () => {
    const operations = plan(full(), FACTS);
    expect(first(operations, 'hide-from-others')).toBe(1);
  });

  it('loads a filter while it still may, where privileges may be gained', () => {
    const spec = full();
    spec.process.noNewPrivileges = false;
    const operations = plan(spec, FACTS);
    expect(positions(operations, 'no-new-privileges')).toEqual([]);
    expect(first(operations, 'seccomp')).toBeLessThan(first(operations, 'uid'));
    expect(first(operations, 'seccomp')).toBeGreaterThan(first(operations, 'bounding'));
  });

  it('loads no filter where none was asked for', () => {
    expect(positions(plan(full(), { ...FACTS, filter: undefined }), 'seccomp')).toEqual([]);
  });

  it('leaves groups alone where they may not be set', () => {
    expect(positions(plan(full(), { ...FACTS, setgroups: false }), 'groups')).toEqual([]);
  });

  it('looks for a command along the PATH of its environment, the empty part being the working directory', () => {
    const spec = full();
    spec.process.env = ['A=PATH=x', 'PATH=/one::/two'];
    expect(plan(spec, FACTS).at(-1)).toMatchObject({ searchPath: ['/one', '.', '/two'] });
  });
});

describe('an exec', () => {
  it('mounts nothing, and joins the mount namespace last', () => {
    const plan = planExec(full(), FACTS);
    expect(positions(plan, 'attach', 'make', 'clone', 'pivot', 'mask', 'console')).toEqual([]);
    const join = plan.find((operation) => operation.do === 'join-container');
    expect(join).toMatchObject({ namespaces: ['cgroup', 'ipc', 'uts', 'network', 'mount'] });
    expect(last(plan, 'oom-score', 'enter-cgroup')).toBeLessThan(first(plan, 'join-container'));
  });
});
