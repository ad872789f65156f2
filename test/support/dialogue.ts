// Dialogues with registries: nock answers at the socket, so everything above it is the real thing.
import { createHash } from 'node:crypto';
import nock from 'nock';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Digest } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';

export const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';
export const layer = Buffer.from('a layer');
export const layerDescriptor = {
  mediaType: 'application/octet-stream',
  digest: sha256(layer),
  size: layer.length,
};
/** A manifest, the headers it is served with, and its descriptor. */
export const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST_TYPE,
  config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: sha256('{}'), size: 2 },
  layers: [{ ...layerDescriptor, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
});
export const good = { 'content-type': MANIFEST_TYPE, 'docker-content-digest': sha256(manifest) };
export const described = { mediaType: MANIFEST_TYPE, digest: sha256(manifest), size: manifest.length };

/** What a test talks through; a new one for each. */
export interface Dialogue {
  transport: Transport;
  repository(name: string, credential?: Credential): Repository;
}

/** Call once a test file: after each test nothing may be left unsaid. */
export function setUpDialogues(): Dialogue {
  let transport: Transport;

  beforeEach(() => {
    nock.disableNetConnect();
    transport = createTransport({ retry: { retries: 0 } });
  });

  afterEach(async () => {
    await transport.close();
    const pending = nock.pendingMocks();
    nock.cleanAll();
    nock.enableNetConnect();
    expect(pending).toEqual([]);
  });

  return {
    get transport() {
      return transport;
    },
    repository: (name, credential) =>
      openRepository(transport, parseReference(name), { credentials: async () => credential }),
  };
}

export function sha256(content: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** The header of a Bearer challenge. */
export function bearer(realm: string, params: Record<string, string> = {}): Record<string, string> {
  const rest = Object.entries(params).map(([key, value]) => `,${key}="${value}"`);
  return { 'www-authenticate': `Bearer realm="${realm}"${rest.join('')}` };
}

/** The next request has no Authorization. */
export function anonymous(host: string): nock.Scope {
  return nock(host, { badheaders: ['authorization'] });
}

/** The next request has this one. */
export function authorized(host: string, authorization: string): nock.Scope {
  return nock(host, { reqheaders: { authorization } });
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export async function collect(tags: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const tag of tags) all.push(tag);
  return all;
}
