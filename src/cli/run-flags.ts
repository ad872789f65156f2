// The flags of `run`, spelled as Docker's, and the request they make. What is wrong with one is said here, before
// anything is pulled or started.
import { readFileSync, statSync } from 'node:fs';
import { Flags, type Interfaces } from '@oclif/core';
import { fileError } from '../errors.ts';
import { parseCapability } from '../runner/spec/capabilities.ts';
import { parseEnv } from '../runner/spec/parse-env.ts';
import { parseCpus, parseMemory, parseMemoryLimit, parseUlimit } from '../runner/spec/parse-limits.ts';
import { parseMount, parseTmpfs, parseVolume } from '../runner/spec/parse-mount.ts';
import { parsePort } from '../runner/spec/parse-port.ts';
import type { MountRequest, RunRequest } from '../runner/spec/run-request.ts';
import { parseSecurityOptions } from '../runner/spec/security-options.ts';
import { parseSignal } from '../runner/spec/signal.ts';
import { usage } from '../runner/spec/usage.ts';

/** Flags that may be given many times, each with one value: the argument after it is not its second. */
const many = { multiple: true, multipleNonGreedy: true } as const;

/** oclif leaves out what was not given. */
const off = { default: false } as const;

/** Of the process: `run` and `exec` have them. */
export const processFlags = {
  env: Flags.string({
    ...many,
    char: 'e',
    helpValue: 'KEY[=VALUE]',
    summary: 'Set a variable; without a value, the one it has here',
  }),
  'env-file': Flags.string({
    ...many,
    helpValue: 'FILE',
    summary: 'Set variables from a file, KEY=VALUE a line',
  }),
  workdir: Flags.string({ char: 'w', helpValue: 'DIR', summary: 'Working directory inside the container' }),
  user: Flags.string({
    char: 'u',
    helpValue: 'USER[:GROUP]',
    summary: 'Run as this user, by name or number',
  }),
  tty: Flags.boolean({ ...off, char: 't', summary: 'Give it a terminal' }),
  interactive: Flags.boolean({ ...off, char: 'i', summary: 'Connect standard input' }),
};

export const runFlags = {
  ...processFlags,
  entrypoint: Flags.string({
    helpValue: 'COMMAND',
    summary: "Replace the image's entrypoint: a program, or a JSON list; empty for none",
  }),
  detach: Flags.boolean({ ...off, char: 'd', summary: "Run in the background and print the container's id" }),
  rm: Flags.boolean({ ...off, summary: 'Remove the container when it ends' }),
  name: Flags.string({ helpValue: 'NAME', summary: 'Name of the container' }),
  hostname: Flags.string({ helpValue: 'NAME', summary: 'Its host name. Default: the start of its id' }),
  label: Flags.string({ ...many, char: 'l', helpValue: 'KEY=VALUE', summary: 'Attach a label' }),
  volume: Flags.string({
    ...many,
    char: 'v',
    helpValue: 'SOURCE:TARGET[:ro]',
    summary: 'Mount a folder or file of this machine, or a named volume',
  }),
  mount: Flags.string({
    ...many,
    helpValue: 'KEY=VALUE,…',
    summary: 'The same in full: type=bind|volume|tmpfs,source=…,target=…,readonly',
  }),
  tmpfs: Flags.string({
    ...many,
    helpValue: 'TARGET[:OPTIONS]',
    summary: 'Mount a file system kept in memory',
  }),
  'read-only': Flags.boolean({ ...off, summary: 'Nothing can be written to the root file system' }),
  publish: Flags.string({
    ...many,
    char: 'p',
    helpValue: '[IP:]HOST:CONTAINER[/udp]',
    summary: 'Publish a port, on 127.0.0.1 unless an address is given',
  }),
  network: Flags.string({
    ...many,
    helpValue: 'NAME',
    summary: 'none, host, bridge or a network; may be repeated',
  }),
  memory: Flags.string({ char: 'm', helpValue: 'SIZE', summary: 'Memory limit: 512m, 2g' }),
  'shm-size': Flags.string({ helpValue: 'SIZE', summary: 'Size of /dev/shm. Default: 64m' }),
  cpus: Flags.string({ helpValue: 'N', summary: 'CPU limit: 0.5, 2' }),
  'pids-limit': Flags.integer({
    helpValue: 'N',
    min: -1,
    summary: 'Processes and threads at most, -1 for any number. Default: 2048',
  }),
  ulimit: Flags.string({
    ...many,
    helpValue: 'NAME=SOFT[:HARD]',
    summary: 'Set a limit of setrlimit(2): nofile=1024',
  }),
  'cap-add': Flags.string({ ...many, helpValue: 'CAP', summary: 'Add a capability, or ALL' }),
  'cap-drop': Flags.string({ ...many, helpValue: 'CAP', summary: 'Take a capability away, or ALL' }),
  'security-opt': Flags.string({
    ...many,
    helpValue: 'OPTION',
    summary: 'seccomp=unconfined|FILE, no-new-privileges=false, systempaths=unconfined',
  }),
  init: Flags.boolean({
    ...off,
    summary: 'A small init as the first process: reaps processes, passes signals on',
  }),
  'stop-signal': Flags.string({
    helpValue: 'SIGNAL',
    summary: "What `stop` sends. Default: the image's, or TERM",
  }),
  runtime: Flags.string({
    helpValue: 'auto|builtin|crun|runc|youki|PATH',
    default: 'auto',
    summary: 'What starts the container',
  }),
  'require-isolation': Flags.boolean({
    ...off,
    summary: 'Refuse to run with less protection than asked for',
  }),
};

/** A profile is read whole and kept with the container. */
const MAX_PROFILE_BYTES = 1024 * 1024;
/** HOST_NAME_MAX. */
const MAX_HOSTNAME = 64;

/**
 * The request that the flags and the arguments after IMAGE make. `host` is this process's environment and folder.
 * Throws USAGE naming the flag, PATH_NOT_FOUND for a source that is not there, and what reading a file throws.
 */
export function runRequest(
  flags: Interfaces.InferredFlags<typeof runFlags>,
  command: string[],
  host: { env: Readonly<Record<string, string | undefined>>; cwd: string },
): RunRequest {
  const request: RunRequest = {
    command,
    env: parseEnv(flags.env ?? [], flags['env-file'] ?? [], host.env),
    mounts: mountRequests(flags, host.cwd),
    readonly: flags['read-only'],
    labels: Object.fromEntries((flags.label ?? []).map(parseLabel)),
    capAdd: (flags['cap-add'] ?? []).map((text) => parseCapability(text, '--cap-add')),
    capDrop: (flags['cap-drop'] ?? []).map((text) => parseCapability(text, '--cap-drop')),
    securityOpt: (flags['security-opt'] ?? []).map(readProfile),
    ulimits: (flags.ulimit ?? []).map(parseUlimit),
    init: flags.init,
    terminal: flags.tty,
    interactive: flags.interactive,
    detach: flags.detach,
    remove: flags.rm,
    runtime: flags.runtime,
    requireIsolation: flags['require-isolation'],
    networks: flags.network ?? [],
    publish: (flags.publish ?? []).flatMap(parsePort),
  };
  parseSecurityOptions(request.securityOpt);
  if (flags.entrypoint !== undefined) request.entrypoint = parseEntrypoint(flags.entrypoint);
  if (flags.workdir !== undefined) request.workdir = parseWorkdir(flags.workdir);
  if (flags.user !== undefined) request.user = flags.user;
  if (flags.hostname !== undefined) request.hostname = parseHostname(flags.hostname);
  if (flags.memory !== undefined) request.memory = parseMemoryLimit(flags.memory);
  if (flags.cpus !== undefined) request.cpus = parseCpus(flags.cpus);
  if (flags['pids-limit'] !== undefined) request.pidsLimit = flags['pids-limit'];
  if (flags['shm-size'] !== undefined) request.shmSize = parseMemory('--shm-size', flags['shm-size']);
  if (flags.name !== undefined) request.name = flags.name;
  if (flags['stop-signal'] !== undefined)
    request.stopSignal = parseSignal(flags['stop-signal'], '--stop-signal');
  return request;
}

function mountRequests(flags: Interfaces.InferredFlags<typeof runFlags>, cwd: string): MountRequest[] {
  const mounts = [
    ...(flags.volume ?? []).map((text) => parseVolume(text, cwd)),
    ...(flags.mount ?? []).map((text) => parseMount(text, cwd)),
    ...(flags.tmpfs ?? []).map(parseTmpfs),
  ];
  const taken = new Set<string>();
  for (const { target } of mounts) {
    if (taken.has(target)) {
      throw usage('-v, --mount, --tmpfs', target, 'two mounts at one place', 'leave one of them out');
    }
    taken.add(target);
  }
  return mounts;
}

/** `KEY` alone is a label without a value. */
function parseLabel(text: string): [key: string, value: string] {
  const at = text.indexOf('=');
  const key = at === -1 ? text : text.slice(0, at);
  if (key === '') throw usage('--label', text, 'no key', 'write it as KEY=VALUE');
  return [key, at === -1 ? '' : text.slice(at + 1)];
}

/** Docker's form is one program; a JSON list, as Podman has it, gives it arguments. */
function parseEntrypoint(text: string): string[] {
  if (text === '') return [];
  if (!text.startsWith('[')) return [text];
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch {
    // Said below.
  }
  throw usage(
    '--entrypoint',
    text,
    'not a JSON list of strings',
    'write it as \'["sh","-c"]\', or give one program',
  );
}

function parseWorkdir(text: string): string {
  if (text.startsWith('/')) return text;
  throw usage('--workdir', text, 'not an absolute path', 'it is a path inside the container, from /');
}

function parseHostname(text: string): string {
  if (text.length <= MAX_HOSTNAME && /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(text)) return text;
  throw usage(
    '--hostname',
    text,
    'not a host name',
    `letters, digits, dots and dashes, ${MAX_HOSTNAME} at most`,
  );
}

/** `seccomp=FILE` with the file's text in place of its name. */
function readProfile(option: string): string {
  const [, file] = /^seccomp[=:](.*)$/s.exec(option) ?? [];
  if (file === undefined || file === 'unconfined') return option;
  try {
    if (statSync(file).size > MAX_PROFILE_BYTES) {
      throw usage('--security-opt', option, 'larger than 1 MiB', 'it should be a seccomp profile');
    }
    return `seccomp=${readFileSync(file, 'utf8')}`;
  } catch (error) {
    throw fileError(error, `--security-opt seccomp=${file}`);
  }
}
