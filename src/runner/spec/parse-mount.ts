// -v, --mount and --tmpfs: what is mounted where, with sources of this machine made absolute and known to exist.
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { OciError } from '../../errors.ts';
import { parseMemory } from './parse-limits.ts';
import type { MountRequest } from './run-request.ts';
import { usage } from './usage.ts';
import { normalTarget } from './volumes.ts';

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Mounts of a container end with it, so nothing can be shared back to the host. */
const PROPAGATIONS = ['private', 'rprivate', 'slave', 'rslave'];
/** Read and passed over: SELinux labels, Docker Desktop's caches. */
const IGNORED = ['rw', 'z', 'Z', 'cached', 'delegated', 'consistent', 'nocopy'];

const VOLUME_HINT = 'write it as ./folder:/data, name:/data or /folder:/data:ro';
const MOUNT_HINT = 'write it as type=bind,source=./folder,target=/data,readonly';
const TMPFS_HINT = 'write it as /run or /run:size=64m,mode=1777';

/** `source:target[:options]`, or a target alone for an anonymous volume. `cwd` is where relative sources begin. Throws USAGE, PATH_NOT_FOUND. */
export function parseVolume(text: string, cwd: string): MountRequest {
  const parts = text.split(':');
  if (parts.length > 3) throw usage('-v', text, 'too many colons', VOLUME_HINT);
  const [first = '', second, options = ''] = parts;
  if (second === undefined) return { kind: 'volume', target: targetOf('-v', text, first), readonly: false };
  const target = targetOf('-v', text, second);
  const given = options === '' ? [] : options.split(',');
  const propagation = given.find((option) => PROPAGATIONS.includes(option));
  const unknown = given.find((option) => ![...IGNORED, ...PROPAGATIONS, 'ro'].includes(option));
  if (unknown !== undefined) throw usage('-v', text, `${unknown} is not an option`, 'known is ro');
  const readonly = given.includes('ro');
  if (isPath(first)) {
    const source = sourceOf('-v', first, cwd);
    return { kind: 'bind', source, target, readonly, ...(propagation !== undefined && { propagation }) };
  }
  return { kind: 'volume', name: volumeName('-v', text, first, VOLUME_HINT), target, readonly };
}

/** `type=bind|volume|tmpfs,source=…,target=…,readonly`. Throws USAGE, PATH_NOT_FOUND. */
export function parseMount(text: string, cwd: string): MountRequest {
  const fields = new Map<string, string>();
  for (const field of text.split(',')) {
    const [key = '', ...value] = field.split('=');
    const name = MOUNT_KEYS[key];
    if (name === undefined) throw usage('--mount', text, `${key || 'nothing'} is not a key`, MOUNT_HINT);
    fields.set(name, value.join('='));
  }
  const target = targetOf('--mount', text, fields.get('target') ?? '');
  const readonly = isTrue(fields.get('readonly'));
  const type = fields.get('type') ?? 'volume';
  const source = fields.get('source');
  switch (type) {
    case 'bind': {
      const propagation = fields.get('propagation');
      if (propagation !== undefined && !PROPAGATIONS.includes(propagation)) {
        throw usage(
          '--mount',
          text,
          `propagation ${propagation} cannot be had`,
          `known are ${PROPAGATIONS.join(', ')}`,
        );
      }
      if (source === undefined) throw usage('--mount', text, 'no source', MOUNT_HINT);
      return {
        kind: 'bind',
        source: sourceOf('--mount', source, cwd),
        target,
        readonly,
        ...(propagation !== undefined && { propagation }),
      };
    }
    case 'volume':
      if (source === undefined || source === '') return { kind: 'volume', target, readonly };
      return { kind: 'volume', name: volumeName('--mount', text, source, MOUNT_HINT), target, readonly };
    case 'tmpfs': {
      const options = [];
      const size = fields.get('tmpfs-size');
      const mode = fields.get('tmpfs-mode');
      if (size !== undefined) options.push(tmpfsOption('--mount', text, `size=${size}`));
      if (mode !== undefined) options.push(tmpfsOption('--mount', text, `mode=${mode}`));
      return { kind: 'tmpfs', target, options: readonly ? [...options, 'ro'] : options };
    }
    default:
      throw usage('--mount', text, `type ${type} is none`, 'types are bind, volume and tmpfs');
  }
}

const MOUNT_KEYS: Readonly<Record<string, string>> = {
  type: 'type',
  source: 'source',
  src: 'source',
  target: 'target',
  destination: 'target',
  dst: 'target',
  readonly: 'readonly',
  ro: 'readonly',
  'bind-propagation': 'propagation',
  'tmpfs-size': 'tmpfs-size',
  'tmpfs-mode': 'tmpfs-mode',
  'volume-nocopy': 'volume-nocopy',
  consistency: 'consistency',
};

function isTrue(value: string | undefined): boolean {
  return value !== undefined && !/^(0|false)$/i.test(value);
}

/** `/run[:size=64m,mode=1777]`. Throws USAGE. */
export function parseTmpfs(text: string): MountRequest {
  const [path = '', ...rest] = text.split(':');
  const options = rest.join(':');
  return {
    kind: 'tmpfs',
    target: targetOf('--tmpfs', text, path),
    options: options === '' ? [] : options.split(',').map((option) => tmpfsOption('--tmpfs', text, option)),
  };
}

const TMPFS_FLAGS = ['rw', 'ro', 'exec', 'noexec', 'suid', 'nosuid', 'dev', 'nodev', 'noatime', 'relatime'];

function tmpfsOption(flag: string, text: string, option: string): string {
  if (TMPFS_FLAGS.includes(option)) return option;
  const [, key, value = ''] = /^(size|nr_inodes|mode|uid|gid)=([0-9a-zA-Z.%]+)$/.exec(option) ?? [];
  if (key === 'size' && !value.endsWith('%')) return `size=${parseMemory(flag, value)}`;
  if (key === 'size' && /^\d{1,2}%$/.test(value)) return option;
  if (key === 'mode' && /^[0-7]{1,4}$/.test(value)) return option;
  if (key !== 'size' && key !== 'mode' && /^\d+$/.test(value)) return option;
  throw usage(flag, text, `${option} is not an option of tmpfs`, TMPFS_HINT);
}

/** Where the kernel's file systems are, only they belong. */
function targetOf(flag: string, text: string, target: string): string {
  if (!target.startsWith('/')) {
    throw usage(
      flag,
      text,
      `${target === '' ? 'no target' : `${target} is not absolute`}`,
      'the target is a path inside the container, from /',
    );
  }
  const path = normalTarget(target);
  if (path === '/' || path === '/dev' || path === '/proc' || path.startsWith('/proc/')) {
    throw usage(flag, text, `nothing can be mounted at ${path}`, 'choose a folder below');
  }
  return path;
}

/** As the shell shows paths: a slash or a dot at the start, or a home. */
function isPath(text: string): boolean {
  return text.startsWith('/') || text.startsWith('~/') || /^\.{1,2}(\/|$)/.test(text);
}

function sourceOf(flag: string, source: string, cwd: string): string {
  const path = source.startsWith('~/') ? resolve(homedir(), source.slice(2)) : resolve(cwd, source);
  try {
    return realpathSync(path);
  } catch (error) {
    throw new OciError('PATH_NOT_FOUND', `${flag} ${source}: ${path} is not there`, {
      hint: `make it first, it is not made for you: mkdir -p ${path}`,
      cause: error,
    });
  }
}

function volumeName(flag: string, text: string, name: string, hint: string): string {
  if (VOLUME_NAME.test(name)) return name;
  throw usage(
    flag,
    text,
    `${name || 'nothing'} is neither a path nor a volume's name`,
    `${hint}; relative paths begin with ./`,
  );
}
