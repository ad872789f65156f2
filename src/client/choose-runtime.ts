// Which driver starts a container: the one asked for, or the first OCI runtime that works on this machine, or our own.
// A runtime that is installed need not work: it is tried with a container of no image, once for each version of it.
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { StorePaths } from '../blobstore/paths.ts';
import { replaceFile } from '../blobstore/write-file.ts';
import { isOciError, OciError } from '../errors.ts';
import { randomName } from '../random-name.ts';
import { findStaticInit } from '../runner/builtin/find-init.ts';
import { cgroupSupport } from '../runner/cgroups.ts';
import { containerPaths, type RuntimeChoice } from '../runner/container.ts';
import { treePath } from '../runner/rootfs/trees.ts';
import { generateSpec } from '../runner/spec/generate.ts';
import { readHostFacts } from '../runner/spec/host-facts.ts';
import { plainRequest } from '../runner/spec/run-request.ts';
import type { Client } from './client.ts';
import { launch } from './launch.ts';

/** Tried in this order. */
const KNOWN = ['crun', 'runc', 'youki'];
/** Where runtimes are that a user's PATH does not name. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** What a trial said of a runtime: empty when it works. Kept by path, version of the file, and who asked. */
type Trials = Record<string, string>;

/** The runtime to use. Throws UNSUPPORTED. */
export async function chooseRuntime(
  client: Client,
  store: StorePaths,
  asked: string,
  rootless: boolean,
): Promise<RuntimeChoice> {
  if (asked === 'builtin') return builtin();
  const reasons: string[] = [];
  for (const name of asked === 'auto' ? KNOWN : [asked]) {
    const path = findProgram(name);
    if (path === undefined) continue;
    const choice = { name: basename(path), path, missing: [] };
    // One that was asked for by name says itself what it cannot do.
    if (asked !== 'auto') return choice;
    const reason = await trial(client, store, choice, rootless);
    if (reason === '') return choice;
    reasons.push(reason);
  }
  if (asked === 'auto') return builtin(reasons);
  throw new OciError('UNSUPPORTED', `${asked}: no such runtime on this machine`, {
    hint: 'install it, or leave --runtime out to take what there is',
  });
}

async function builtin(others: string[] = []): Promise<RuntimeChoice> {
  const { probeBuiltin } = await import('../runner/builtin/probe.ts');
  const support = probeBuiltin();
  if (support.available) return { name: 'builtin', missing: support.missing };
  throw new OciError('UNSUPPORTED', [...others, support.reason].join('; '), {
    hint: support.hint ?? 'install crun or runc',
  });
}

/** What is said of it, from memory if it was tried before. */
async function trial(
  client: Client,
  store: StorePaths,
  choice: RuntimeChoice & { path: string },
  rootless: boolean,
): Promise<string> {
  const { mtimeMs, size } = statSync(choice.path);
  const key = `${choice.path} ${mtimeMs} ${size}${rootless ? ' rootless' : ''}`;
  const known = readTrials(store)[key];
  if (known !== undefined) return known;
  const said = await tryOut(client, store, choice);
  // Read again: others may have tried others meanwhile.
  replaceFile(store.runtimes, JSON.stringify({ ...readTrials(store), [key]: said }));
  return said;
}

function readTrials(store: StorePaths): Trials {
  try {
    return JSON.parse(readFileSync(store.runtimes, 'utf8')) as Trials;
  } catch {
    return {};
  }
}

/** Runs `true` of this machine in a container whose root file system is empty but for this machine's programs. */
async function tryOut(client: Client, store: StorePaths, runtime: RuntimeChoice): Promise<string> {
  const program = findProgram('true');
  if (program === undefined) return '';
  const id = randomName(32);
  const tree = `trial-${id}`;
  const facts = readHostFacts();
  const cgroups = facts.rootless ? undefined : cgroupSupport();
  const cgroup = cgroups && { path: `/ocitool-${id}`, swap: cgroups.swap };
  const request = plainRequest({ command: [program], remove: true, networks: ['none'] });
  try {
    for (const source of programFolders(treePath(store, tree))) {
      request.mounts.push({ kind: 'bind', source, target: source, readonly: true });
    }
    const spec = generateSpec({
      id,
      image: {},
      request,
      user: { uid: 0, gid: 0, additionalGids: [], home: '/' },
      host: facts,
      rootfs: containerPaths(store.containers, id).rootfs,
      network: 'monitor',
      ...(cgroup !== undefined && { cgroup }),
    });
    const { exited } = await launch(
      client,
      {
        store,
        record: {
          version: 1,
          id,
          name: tree,
          created: new Date().toISOString(),
          image: { name: '', digest: '' },
          request,
          args: [program],
          ports: [],
          tree,
          stopSignal: 'SIGTERM',
          runtime,
          ...(cgroup !== undefined && { cgroup: cgroup.path }),
        },
        spec,
        volumes: new Map(),
        rootless: facts.rootless,
        ensureTree: async () => {},
      },
      { silent: true },
    );
    const exit = await exited;
    return 'code' in exit && exit.code === 0
      ? ''
      : `${runtime.name}: a trial ended with ${JSON.stringify(exit)}`;
  } catch (error) {
    if (isOciError(error, 'ABORTED')) throw error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(treePath(store, tree), { recursive: true, force: true });
  }
}

/** Makes a root with this machine's top-level links to programs and libraries; answers the folders to mount. */
function programFolders(root: string): string[] {
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const folders: string[] = [];
  for (const path of ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix', '/gnu']) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) symlinkSync(readlinkSync(path), join(root, path));
    else if (stat !== undefined) folders.push(path);
  }
  return folders;
}

/** The small init of `--init`. Throws UNSUPPORTED. */
export function findInit(): string {
  const path = findStaticInit();
  if (path !== undefined) return path;
  throw new OciError('UNSUPPORTED', '--init needs a small static init, and none is installed', {
    hint: 'install catatonit or tini, which Debian, Fedora and Alpine have',
  });
}

/** An executable file by its name in PATH, or by its path. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS].filter(
    (folder) => folder !== '',
  );
  const paths = name.includes('/') ? [name] : folders.map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
