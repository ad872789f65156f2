// A registry on loopback with images that the test signs, and clients that note what they were warned of.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference, type Reference } from '../../src/reference/reference.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { serveStore } from '../../src/serve/serve.ts';
import { startDockerRegistry } from './docker-registry.ts';
import { addImage, addIndex, memoryPlace, nameImage } from './image-builder.ts';
import { putTagSignatures } from './signed-image.ts';
import { ecKeys, payloadFor, signWith } from './sigstore.ts';

/** The signer of all images here. */
export const keys = ecKeys();

/** An image for two platforms in the registry. */
export interface Pushed {
  reference: Reference;
  name: string;
  repository: Repository;
  index: Descriptor;
  amd64: Descriptor;
}

export interface SigningRegistry {
  /** A folder for the test's own files. */
  dir: string;
  host: string;
  /** Warnings of all clients; empty it before looking. */
  warnings: string[];
  /** A client with a store of its own, for linux/amd64 unless told otherwise. */
  newClient(options?: Parameters<typeof createClient>[0]): Client;
  /** A new image, unsigned. */
  pushed(): Promise<Pushed>;
  /** Signs a part of an image in the tag form, as cosign does: the name in it has no tag. */
  signTag(image: Pushed, part: Descriptor): Promise<void>;
  close(): Promise<void>;
}

/** `docker-registry` has no referrers API, `ocitool serve` does. */
export async function startSigningRegistry(
  kind: 'docker-registry' | 'ocitool serve',
): Promise<SigningRegistry> {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-verify-'));
  const server = await start(kind, dir);
  const { host } = server;
  const clients: Client[] = [];
  const warnings: string[] = [];
  let images = 0;

  function newClient(options: Parameters<typeof createClient>[0] = {}): Client {
    const client = createClient({
      store: join(dir, `store-${clients.length}`),
      platform: 'linux/amd64',
      onProgress: (event) => {
        if (event.type === 'warning') warnings.push(event.message);
      },
      ...options,
    });
    clients.push(client);
    return client;
  }
  const pushing = newClient();

  return {
    dir,
    host,
    warnings,
    newClient,
    async pushed() {
      images += 1;
      const name = `${host}/team/app${images}:1`;
      const reference = parseReference(name);
      const place = memoryPlace();
      const amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
      const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
      const index = addIndex(place, [amd64, arm64]);
      nameImage(place, reference, index);
      const repository = await pushing.repository(reference, 'push');
      await createCopier(repository).copy(place, reference, { allPlatforms: true });
      return { reference, name, repository, index, amd64 };
    },
    async signTag({ repository, reference }, { digest }) {
      const payload = payloadFor(digest, { name: `${host}/${reference.repository}` });
      const annotations = { signature: signWith(keys, payload) };
      await putTagSignatures(repository, reference, digest, [{ payload, annotations }]);
    },
    async close() {
      for (const client of clients) await client.close();
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function start(kind: string, dir: string): Promise<{ host: string; close(): Promise<void> }> {
  if (kind === 'docker-registry') {
    const registry = await startDockerRegistry();
    return { host: registry.address, close: () => registry.close() };
  }
  const server = await serveStore(await openStore(join(dir, 'served')));
  return { host: new URL(server.url).host, close: () => server.close() };
}
