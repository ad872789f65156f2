// What a network is, on disk: `networks/<name>.json` in the store's private folder, written under one lock for all.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../../blobstore/lock.ts';
import { replaceFile } from '../../blobstore/write-file.ts';
import { fileError, OciError } from '../../errors.ts';
import { namesIfThere, textIfThere } from '../../if-there.ts';
import { isRecord } from '../../json.ts';
import type { ProcessIdentity } from '../container.ts';
import { parseSubnet, type Subnet } from './subnet.ts';

/** A container's place in a network, held as long as its monitor lives. */
export interface Lease {
  id: string;
  name: string;
  hostname?: string;
  /** `10.213.0.2`. */
  address: string;
  monitor: ProcessIdentity;
  /** A file that is the switch's network namespace, in the monitor's mount namespace. */
  pin: string;
  /** The container's /etc/hosts. */
  hosts: string;
}

export interface Network {
  version: 1;
  name: string;
  /** Reaches nothing outside. */
  internal: boolean;
  /** `10.213.0.0/24`. */
  subnet: string;
  /** Given by the user; else it may change while nobody is on the network. */
  fixed: boolean;
  /** ISO 8601. */
  created: string;
  /** The address given last: the next one is after it, so that a late packet meets nobody. */
  last?: string;
  /** The host has rules for its way out. */
  uplink?: boolean;
  /** Why it has no way out, as the user was told; not said again with every container. */
  told?: string;
  leases: Lease[];
}

/** Networks that are ways of connecting, not switches. */
export const SPECIAL_NETWORKS: readonly string[] = ['none', 'host'];

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** Throws USAGE. */
export function assertNetworkName(name: string): void {
  if (NAME.test(name)) return;
  throw new OciError('USAGE', `${JSON.stringify(name)}: not a name for a network`, {
    hint: 'letters, digits, dots, dashes and underscores, up to 63, beginning with a letter or digit',
  });
}

/** Runs `action` while no other process changes a network of this folder. */
export async function withNetworks<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, folder);
  }
  const lock = await acquireLock(join(folder, 'lock'));
  try {
    return await action();
  } finally {
    lock.release();
  }
}

/** All networks by name, in order. Throws STORE_INVALID. */
export function readNetworks(folder: string): Network[] {
  return namesIfThere(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .flatMap((file) => readNetwork(folder, file.slice(0, -'.json'.length)) ?? []);
}

/** Undefined when there is none of that name. Throws STORE_INVALID. */
export function readNetwork(folder: string, name: string): Network | undefined {
  const path = networkPath(folder, name);
  const text = textIfThere(path);
  if (text === undefined) return undefined;
  const network = asNetwork(text);
  if (network?.name === name) return network;
  throw new OciError('STORE_INVALID', `${path}: not a network`, { hint: 'remove the file' });
}

export function writeNetwork(folder: string, network: Network): void {
  const path = networkPath(folder, network.name);
  try {
    replaceFile(path, `${JSON.stringify(network, undefined, 2)}\n`);
  } catch (error) {
    throw fileError(error, path);
  }
}

export function removeNetworkFile(folder: string, name: string): void {
  rmSync(networkPath(folder, name), { force: true });
}

export function noSuchNetwork(name: string): OciError {
  return new OciError('NETWORK_NOT_FOUND', `no network named ${name}`, {
    hint: `make it with: ocitool network create ${name}`,
  });
}

function networkPath(folder: string, name: string): string {
  assertNetworkName(name);
  return join(folder, `${name}.json`);
}

function asNetwork(text: string): Network | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value.version !== 1 || typeof value.name !== 'string') return undefined;
  if (typeof value.subnet !== 'string' || !Array.isArray(value.leases)) return undefined;
  return parseSubnet(value.subnet) === undefined ? undefined : (value as unknown as Network);
}

/** The network's subnet as numbers. */
export function subnetOf(network: Network): Subnet {
  return parseSubnet(network.subnet) ?? { first: 0, prefix: 32 };
}
