// What is run, with which environment, where: the image's word and the request's, combined by Docker's rules.
import { posix } from 'node:path';
import { OciError } from '../../errors.ts';
import type { RunConfig } from '../../manifest/config.ts';
import type { RunRequest } from './run-request.ts';

/** Where `--init` puts its program: in /dev, which is never the image's. Run as `INIT -- COMMAND…`. */
export const INIT_PATH = '/dev/init';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The arguments: Entrypoint, then Cmd. A command given replaces Cmd; `--entrypoint` replaces Entrypoint and the image's
 * Cmd with it. Throws USAGE when nothing is left.
 */
export function argsOf(image: RunConfig, request: Pick<RunRequest, 'command' | 'entrypoint'>): string[] {
  const entrypoint = request.entrypoint ?? image.Entrypoint ?? [];
  const imageCommand = request.entrypoint === undefined ? (image.Cmd ?? []) : [];
  const args = [...entrypoint, ...(request.command.length > 0 ? request.command : imageCommand)];
  if (args.length > 0) return args;
  throw new OciError('USAGE', 'nothing to run: the image names no command, and none was given', {
    hint: 'put the command after the image: ocitool run IMAGE COMMAND',
  });
}

/**
 * The environment, in Docker's order: the defaults, the request's, what the image has besides, HOME. A later value of
 * a name replaces the earlier in its place; a name alone in the request takes the variable away.
 */
export function envOf(
  image: RunConfig,
  request: Pick<RunRequest, 'env' | 'terminal'>,
  facts: { hostname: string; home: string },
): string[] {
  const variables = new Map<string, string>();
  const set = (entry: string): void => {
    const name = nameOf(entry);
    if (name !== '') variables.set(name, entry);
  };
  set(DEFAULT_PATH);
  set(`HOSTNAME=${facts.hostname}`);
  if (request.terminal) set('TERM=xterm');
  const asked = new Set(request.env.map(nameOf));
  for (const entry of request.env) {
    if (entry.includes('=')) set(entry);
    else variables.delete(entry);
  }
  for (const entry of image.Env ?? []) {
    if (!asked.has(nameOf(entry)) && entry.includes('=')) set(entry);
  }
  const home = variables.get('HOME');
  if ((home === undefined && !asked.has('HOME')) || home === 'HOME=') set(`HOME=${facts.home}`);
  return [...variables.values()];
}

/** The part before the first `=`. */
function nameOf(entry: string): string {
  const end = entry.indexOf('=');
  return end === -1 ? entry : entry.slice(0, end);
}

/**
 * The working directory, absolute. Whoever mounts the root file system creates it when it is not there, owned by root
 * with mode 0755, resolved inside the root. Throws USAGE for a relative `--workdir`.
 */
export function cwdOf(image: RunConfig, request: Pick<RunRequest, 'workdir'>): string {
  if (request.workdir !== undefined && !request.workdir.startsWith('/')) {
    throw new OciError('USAGE', `--workdir ${request.workdir}: not an absolute path`, {
      hint: 'it is a path inside the container, from /',
    });
  }
  const path = posix.resolve('/', request.workdir || image.WorkingDir || '/');
  return path;
}
