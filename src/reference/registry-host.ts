// What a registry's name says about its host: Docker Hub's several names, and which hosts are this machine.
import { OciError } from '../errors.ts';
import { isDomain } from './grammar.ts';

/** Docker Hub, as names write it. */
export const DOCKER_HUB = 'docker.io';

const DOCKER_HUB_API = 'registry-1.docker.io';

// index.docker.io is Docker Hub's name before 2015; registry-1 is where its API answers, and people paste it.
const DOCKER_HUB_NAMES: readonly string[] = ['index.docker.io', DOCKER_HUB_API];

/** One name for one registry: every name of Docker Hub becomes `docker.io`, others stay as they are. */
export function canonicalRegistry(registry: string): string {
  return DOCKER_HUB_NAMES.includes(registry) ? DOCKER_HUB : registry;
}

/** True when `text` is a host with an optional port that can be connected to (`[1::2::3]` and port 99999 cannot). */
export function isRegistry(text: string): boolean {
  return isDomain(text) && URL.canParse(`https://${text}`);
}

/** A registry named by itself, as `login REGISTRY` takes it. Throws INVALID_REFERENCE. */
export function parseRegistry(text: string): string {
  if (isRegistry(text)) return canonicalRegistry(text);
  throw new OciError('INVALID_REFERENCE', `not a registry: ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'write a host and optional port, such as ghcr.io or localhost:5000, without https:// and without a path',
  });
}

/** The host and port where the registry's API answers: `docker.io` → `registry-1.docker.io`. */
export function apiHost(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_API : registry;
}

/** True for localhost, 127.0.0.0/8 and [::1] with or without a port: these may answer plain HTTP, as docker has it. */
export function isLoopbackRegistry(registry: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(registry);
}
