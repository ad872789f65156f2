// Against the reference registry in each form people run it in.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDocument } from '../../src/place/read-document.ts';
import { readVerified } from '../../src/place/verify.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import { checkLogin } from '../../src/registry/login.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import { createTransport, type Transport, type TransportOptions } from '../../src/registry/transport.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  startDockerRegistry,
} from '../support/docker-registry.ts';
import { type RedirectingNginx, startRedirectingNginx } from '../support/nginx.ts';
import { startTokenServer, type TokenServer } from '../support/token-server.ts';
import { hasTools } from '../support/tools.ts';

const user = { username: 'me', password: 'sécret:1' };
const credential: Credential = { type: 'basic', ...user };
const layer = Buffer.alloc(300_000, 'layer ');
const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');

function sha256(content: Buffer): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** Pushes one image the plain way, by fetch, into a registry without authentication. */
async function pushImage(address: string, repository: string, tags: string[]): Promise<void> {
  const base = `http://${address}/v2/${repository}`;
  for (const blob of [layer, config]) {
    const started = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const url = new URL(started.headers.get('location')!);
    url.searchParams.set('digest', sha256(blob));
    const stored = await fetch(url, { method: 'PUT', body: new Uint8Array(blob) });
    expect(stored.status).toBe(201);
  }
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: layer.length },
    ],
  });
  for (const tag of tags) {
    const headers = { 'content-type': mediaType };
    const put = await fetch(`${base}/manifests/${tag}`, { method: 'PUT', body: manifest, headers });
    expect(put.status).toBe(201);
  }
}

async function collect(tags: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const tag of tags) all.push(tag);
  return all;
}

describe.skipIf(!hasTools('docker-registry', 'htpasswd', 'openssl', 'nginx'))('docker-registry', () => {
  const closers: (() => Promise<void>)[] = [];
  let plain: DockerRegistry;

  beforeAll(async () => {
    plain = await startDockerRegistry();
    closers.push(() => plain.close());
    await pushImage(plain.address, 'team/app', ['1.0', '1.1', 'latest']);
  });

  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  /** Another registry over the same images. */
  async function startAnother(options: DockerRegistryOptions): Promise<DockerRegistry> {
    const registry = await startDockerRegistry({ storage: plain.storage, ...options });
    closers.push(() => registry.close());
    return registry;
  }

  function transportOf(options: TransportOptions = {}): Transport {
    const transport = createTransport({ retry: { retries: 1, baseMs: 1 }, ...options });
    closers.push(() => transport.close());
    return transport;
  }

  function open(address: string, transport = transportOf(), known?: Credential): Repository {
    const name = { registry: address, repository: 'team/app' };
    return openRepository(transport, name, { credentials: async () => known });
  }

  /** Pulls the image: manifest, config and layer, verified. */
  async function pull(repository: Repository): Promise<void> {
    const name = parseReference(`${repository.registry}/team/app:1.0`);
    const root = await repository.resolve(name);
    const document = await readDocument(repository, root);
    if (document.kind !== 'manifest') throw new Error('not a manifest');
    for (const blob of [document.manifest.config, ...document.manifest.layers]) {
      await readVerified(await repository.fetch(blob), blob);
    }
  }

  describe('plain', () => {
    it('is pulled from without a flag, on loopback', async () => {
      await pull(open(plain.address));
    });

    it('resolves the same with HEAD as with GET, by tag and by digest', async () => {
      const repository = open(plain.address);
      const name = parseReference(`${plain.address}/team/app:1.0`);
      const root = await repository.resolve(name);
      expect(await repository.resolve(name, { cheap: true })).toEqual(root);
      expect(await repository.resolve({ ...name, digest: root.digest }, { cheap: true })).toEqual(root);
    });

    it('gives a blob from an offset', async () => {
      const descriptor = { mediaType: 'application/octet-stream', digest: sha256(layer), size: layer.length };
      const chunks: Buffer[] = [];
      for await (const chunk of await open(plain.address).fetch(descriptor, { offset: 123_456 }))
        chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(layer.subarray(123_456))).toBe(true);
    });

    it('lists tags, over several pages too', async () => {
      expect((await collect(open(plain.address).tags())).sort()).toEqual(['1.0', '1.1', 'latest']);
      expect((await collect(open(plain.address).tags({ n: 1 }))).sort()).toEqual(['1.0', '1.1', 'latest']);
    });

    it('does not have what it does not have', async () => {
      const repository = open(plain.address);
      await expect(repository.resolve(parseReference(`${plain.address}/team/app:1.2`))).rejects.toMatchObject(
        {
          code: 'IMAGE_NOT_FOUND',
          hint: expect.stringMatching(/did you mean 1\.0, 1\.1/),
        },
      );
      const missing = { mediaType: 'x', digest: sha256(Buffer.from('missing')), size: 7 };
      await expect(repository.fetch(missing)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      const nowhere = openRepository(transportOf(), { registry: plain.address, repository: 'no/such' });
      await expect(nowhere.resolve(parseReference(`${plain.address}/no/such:1`))).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        hint: expect.stringContaining('no such repository'),
      });
      await expect(collect(nowhere.tags())).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    });
  });

  describe('with htpasswd', () => {
    it('takes the right password, and no other', async () => {
      const { address } = await startAnother({ htpasswd: user });
      const transport = transportOf();
      await checkLogin(transport, address, credential);
      await pull(open(address, transport, credential));
      const wrong: Credential = { type: 'basic', username: 'me', password: 'wrong' };
      await expect(checkLogin(transport, address, wrong)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
      await expect(pull(open(address, transport, wrong))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
      await expect(pull(open(address, transport))).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
        hint: expect.stringContaining(`ocitool login ${address}`),
      });
    });
  });

  describe('with a token server', () => {
    async function startBoth(
      options: Partial<Parameters<typeof startTokenServer>[0]>,
    ): Promise<[string, TokenServer]> {
      const token = await startTokenServer({ ...user, ...options });
      closers.push(() => token.close());
      return [(await startAnother({ token })).address, token];
    }

    it('gives a private image to those it knows, by one token', async () => {
      const [address, server] = await startBoth({});
      await checkLogin(transportOf(), address, credential);
      server.asked.length = 0;
      await pull(open(address, transportOf(), credential));
      expect(server.asked).toHaveLength(1);
      expect(server.asked[0]?.params.getAll('scope')).toEqual(['repository:team/app:pull']);
      await expect(pull(open(address))).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
        message: expect.stringContaining('does not exist or is private'),
      });
      const wrong: Credential = { type: 'basic', username: 'me', password: 'wrong' };
      await expect(checkLogin(transportOf(), address, wrong)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
        message: expect.stringContaining('wrong user name or password'),
      });
    });

    it('gives a public image to everybody', async () => {
      const [address, server] = await startBoth({ publicRepositories: ['team/app'] });
      await pull(open(address));
      expect(server.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
    });

    it('trades a refresh token', async () => {
      const [address, server] = await startBoth({ refreshToken: 'long' });
      await pull(open(address, transportOf(), { type: 'refresh', refreshToken: 'long' }));
      expect(server.asked.map(({ method }) => method)).toEqual(['POST']);
    });
  });

  describe('with TLS', () => {
    let authority: Authority;

    beforeAll(async () => {
      authority = await createAuthority();
      closers.push(async () => authority.remove());
    });

    it('of an authority of its own is pulled from with --ca or --insecure only', async () => {
      const { address } = await startAnother({ tls: await authority.server() });
      await pull(open(address, transportOf({ ca: authority.pem })));
      await pull(open(address, transportOf({ insecure: true })));
      await expect(pull(open(address))).rejects.toMatchObject({ code: 'TLS' });
    });

    it('asked with --plain-http says that it speaks HTTPS', async () => {
      const { address } = await startAnother({ tls: await authority.server() });
      await expect(pull(open(address, transportOf({ plainHttp: true })))).rejects.toMatchObject({
        code: 'TLS',
        hint: expect.stringContaining('--plain-http'),
      });
    });
  });

  describe('as a cache of another', () => {
    it('gives what the other has, and keeps it', async () => {
      const cache = await startDockerRegistry({ proxyOf: `http://${plain.address}` });
      closers.push(() => cache.close());
      await pull(open(cache.address));
      await pull(open(cache.address));
      expect(readdirSync(cache.storage)).not.toEqual([]);
    });
  });

  describe('behind nginx that sends blobs to another origin', () => {
    let nginx: RedirectingNginx;

    beforeAll(async () => {
      const { address } = await startAnother({ htpasswd: user });
      nginx = await startRedirectingNginx(address, plain.address);
      closers.push(() => nginx.close());
    });

    it('the storage gets the request, but no Authorization', async () => {
      const repository = open(nginx.address, transportOf(), credential);
      await pull(repository);
      const descriptor = { mediaType: 'application/octet-stream', digest: sha256(layer), size: layer.length };
      const rest = await repository.fetch(descriptor, { offset: layer.length - 5 });
      let length = 0;
      for await (const chunk of rest) length += chunk.length;
      expect(length).toBe(5);
      // Written when a request is over for nginx, which may be after it is for us.
      await expect.poll(() => nginx.storageLog(), { timeout: 20_000 }).toHaveLength(3);
      const log = nginx.storageLog();
      for (const line of log)
        expect(line).toMatch(/^GET \/v2\/team\/app\/blobs\/sha256:\w+\?X-Signature=fresh - /);
      expect(log.at(-1)).toMatch(/ - bytes=299995-$/);
    });
  });
});
