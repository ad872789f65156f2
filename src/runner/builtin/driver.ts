// The built-in driver: a container with nothing but this Node and a Linux kernel from 5.12 on.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OciError } from '../../errors.ts';
import { hierarchies } from '../cgroups.ts';
import type { Driver, ExecRequest, Launch, Launched } from '../driver.ts';
import { kernel, SystemCallError } from '../kernel.ts';
import { readHostFacts } from '../spec/host-facts.ts';
import type { RuntimeSpec, Seccomp } from '../spec/runtime-spec.ts';
import { compileSeccomp } from '../spec/seccomp-bpf.ts';
import { type PlanFacts, planExec, planLaunch } from './plan.ts';
import type { BuiltinSupport } from './probe.ts';
import { start } from './start.ts';

/** `support`: what `probeBuiltin` found, and what else is known to be missing. */
export function builtinDriver({ missing }: Extract<BuiltinSupport, { available: true }>): Driver {
  return { name: 'builtin', path: undefined, missing, launch, exec };
}

async function launch({ spec, bundle, stdio, rootless }: Launch): Promise<Launched> {
  if (spec.linux.namespaces.some(({ type }) => type === 'user')) {
    throw new OciError('UNSUPPORTED', 'the built-in runtime makes no user namespace of its own');
  }
  const own = spec.linux.namespaces.every(({ type }) => type !== 'pid');
  return guarded(() =>
    start(planLaunch(inBundle(spec, bundle), factsFor(spec, rootless)), {
      stdio: spec.process.terminal ? undefined : stdio,
      size: spec.process.consoleSize,
      pidNamespace: own ? 'own' : 'new',
    }),
  );
}

function exec({ pid, spec, stdio, rootless }: ExecRequest): Promise<Launched> {
  return guarded(async () => {
    const pidfd = kernel().call('pidfd_open', pid, 0);
    try {
      return await start(planExec(spec, factsFor(spec, rootless)), {
        stdio: spec.process.terminal ? undefined : stdio,
        size: spec.process.consoleSize,
        pidNamespace: { pidfd },
      });
    } finally {
      kernel().call('close', pidfd);
    }
  });
}

async function guarded(action: () => Promise<Launched>): Promise<Launched> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    throw new OciError('RUNTIME_FAILED', `the built-in runtime cannot start a process: ${error.message}`, {
      cause: error,
    });
  }
}

function factsFor({ linux }: RuntimeSpec, rootless: boolean): PlanFacts {
  const all = hierarchies();
  return {
    rootless,
    setgroups: readHostFacts().ids.setgroups,
    cgroups: cgroupFiles(linux.cgroupsPath),
    unified: all.every(({ version }) => version === 2),
    filter: linux.seccomp === undefined ? undefined : filterOf(linux.seccomp),
  };
}

/** Flags that change what a filter does, not how it is loaded. */
const FILTER_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

function filterOf(seccomp: Seccomp): PlanFacts['filter'] {
  const flags = (seccomp.flags ?? []).reduce((sum, name) => sum | (FILTER_FLAGS[name] ?? 0), 0);
  return { program: compileSeccomp(seccomp, process.arch).toString('base64'), flags };
}

/** Of the cgroups that the container's starter has made. */
function cgroupFiles(path: string | undefined): string[] {
  if (path === undefined) return [];
  return hierarchies()
    .map(({ mount }) => join(mount, path, 'cgroup.procs'))
    .filter((file) => existsSync(file));
}

function inBundle(spec: RuntimeSpec, bundle: string): RuntimeSpec {
  return { ...spec, root: { ...spec.root, path: resolve(bundle, spec.root.path) } };
}
