// The verbs on networks of containers: create, list, remove.
import { storePaths } from '../blobstore/paths.ts';
import { isOciError, type OciError } from '../errors.ts';
import {
  createNetwork as create,
  listNetworks as list,
  type NetworkInfo,
  removeNetwork as remove,
} from '../runner/network/manage.ts';
import type { NewNetwork } from '../runner/network/new-network.ts';
import type { Client } from './client.ts';

/**
 * Makes a network; it costs nothing until a container is on it. Throws NAME_TAKEN, USAGE for a name or subnet that
 * cannot be or is in use, PERMISSION.
 */
export async function createNetwork(client: Client, options: NewNetwork): Promise<NetworkInfo> {
  return create(await folderOf(client), options);
}

/** All networks by name, with who is on them; `bridge` once a container needed it. */
export async function listNetworks(client: Client): Promise<NetworkInfo[]> {
  return list(await folderOf(client));
}

/**
 * Removes networks, every one that can be. Throws the first refusal then: NETWORK_NOT_FOUND, NAME_TAKEN while
 * containers are on it.
 */
export async function removeNetworks(client: Client, names: readonly string[]): Promise<string[]> {
  const folder = await folderOf(client);
  let refused: OciError | undefined;
  for (const name of names) {
    try {
      await remove(folder, name);
    } catch (error) {
      if (!isOciError(error)) throw error;
      refused ??= error;
    }
  }
  if (refused !== undefined) throw refused;
  return [...names];
}

async function folderOf(client: Client): Promise<string> {
  return storePaths((await client.store()).dir).networks;
}
