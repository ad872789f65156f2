// Pushing to real registries, in the forms people run them in; skopeo says whether what is there is whole.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference, type Reference } from '../../src/reference/reference.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { startTlsNginx } from '../support/nginx.ts';
import { startTokenServer } from '../support/token-server.ts';
import { hasTools, skopeo } from '../support/tools.ts';

const me: Credential = { type: 'basic', username: 'me', password: 'secret' };

let place: MemoryPlace;
let root: Descriptor;

beforeEach(() => {
  place = memoryPlace();
  // One layer in a single request, one streamed.
  root = addImage(place, { layers: [randomBytes(300), randomBytes(5_000_000)] });
});

function open(transport: Transport, name: Reference, credential?: Credential): Repository {
  return openRepository(transport, name, { access: 'push', credentials: async () => credential });
}

async function push(transport: Transport, name: Reference, credential?: Credential) {
  nameImage(place, name, root);
  return await createCopier(open(transport, name, credential)).copy(place, name);
}

describe.skipIf(!hasTools('docker-registry', 'skopeo'))('docker-registry', () => {
  let registry: DockerRegistry;
  let transport: Transport;
  let asked: string[];

  beforeAll(async () => {
    registry = await startDockerRegistry();
    const agent = new Agent();
    const count: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
      asked.push(`${options.method} ${options.path}`);
      return dispatch(options, handler);
    };
    transport = createTransport({ dispatcher: agent.compose(count), plainHttp: true });
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(async () => {
    await transport.close();
    await registry.close();
  });

  test('has what was pushed: skopeo copies it out', async () => {
    const name = parseReference(`${registry.address}/team/app:1`);
    await push(transport, name);
    const dir = mkdtempSync(join(tmpdir(), 'push-'));
    try {
      const from = `docker://${registry.address}/team/app:1`;
      await skopeo('copy', '--src-tls-verify=false', from, `dir:${dir}`);
      expect(readFileSync(join(dir, 'manifest.json')).equals(place.blobs.get(root.digest)!)).toBe(true);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('from registry to registry; once more, with everything there: requests <= blobs + 3', async () => {
    const from = parseReference(`${registry.address}/from/app:1`);
    await push(transport, from);
    const to = parseReference(`${registry.address}/to/app:2`);
    const source = openRepository(transport, from);
    asked = [];
    const first = await createCopier(open(transport, to)).copy(source, from, { as: to });
    expect(first.root).toEqual(root);
    expect(asked.filter((line) => /^(?:PUT|PATCH) .*uploads/.test(line))).toEqual([]);
    expect(asked.filter((line) => line.includes('?mount='))).toHaveLength(3);
    asked = [];
    const second = await createCopier(open(transport, to)).copy(openRepository(transport, from), from, {
      as: to,
    });
    expect(second).toMatchObject({ root, transferred: 0 });
    expect(asked.length).toBeLessThanOrEqual(3 + 3);
  });

  test('from and to one registry by a single connection each: no download waits for an upload that waits for it', async () => {
    const from = parseReference(`${registry.address}/from/many:1`);
    root = addImage(place, { layers: [randomBytes(20_000_000)] });
    const ordinary = createTransport({ connectionsPerHost: 1, timeoutMs: 25_000, retry: { retries: 0 } });
    try {
      await push(ordinary, from);
      const { resolve, fetch } = openRepository(ordinary, from);
      // Not known as a repository, so nothing is mounted.
      const source = { resolve, fetch };
      const to = parseReference(`${registry.address}/to/many:1`);
      const result = await createCopier(open(ordinary, to)).copy(source, from, { as: to });
      expect(result).toMatchObject({ root, reused: 0 });
    } finally {
      await ordinary.close();
    }
  });

  test('interrupted: ABORTED, no name, and the next push goes through', async () => {
    const name = parseReference(`${registry.address}/team/interrupted:1`);
    nameImage(place, name, root);
    const controller = new AbortController();
    place.onFetch = ({ size }) => void (size === 5_000_000 && controller.abort());
    const copier = createCopier(open(transport, name), { signal: controller.signal });
    await expect(copier.copy(place, name)).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(open(transport, name).resolve(name)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    await push(transport, name);
  });

  test('a manifest is deleted by digest, and with it its tags; a second time it is not there', async () => {
    const name = parseReference(`${registry.address}/team/gone:1`);
    await push(transport, name);
    const repository = open(transport, name);
    const { registry: host, repository: path } = name;
    const byDigest = { registry: host, repository: path, digest: root.digest };
    await expect(repository.remove(name)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await repository.remove(byDigest);
    await expect(open(transport, name).resolve(name)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    await expect(repository.remove(byDigest)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  test('another tag moves no bytes, and reads the manifest once', async () => {
    const name = parseReference(`${registry.address}/team/tags:1`);
    await push(transport, name);
    const repository = open(transport, name);
    asked = [];
    await repository.tag(await repository.resolve(name), { ...name, tag: '2' });
    expect(asked).toEqual(['GET /v2/team/tags/manifests/1', 'PUT /v2/team/tags/manifests/2']);
  });
});

describe.skipIf(!hasTools('docker-registry', 'htpasswd'))('with a password', () => {
  test('known: pushed; unknown or wrong: UNAUTHORIZED, and nothing is there', async () => {
    const registry = await startDockerRegistry({ htpasswd: { username: 'me', password: 'secret' } });
    const transport = createTransport();
    try {
      const name = parseReference(`${registry.address}/team/app:1`);
      const login = { code: 'UNAUTHORIZED', hint: expect.stringContaining('ocitool login') };
      await expect(push(transport, name)).rejects.toMatchObject(login);
      await expect(push(transport, name, { ...me, password: 'wrong' })).rejects.toMatchObject(login);
      await push(transport, name, me);
      expect(await open(transport, name, me).resolve(name)).toMatchObject({ digest: root.digest });
    } finally {
      await transport.close();
      await registry.close();
    }
  });
});

describe.skipIf(!hasTools('docker-registry', 'openssl'))('a token server', () => {
  test('gives one token for the whole push, for reading and writing', async () => {
    const tokens = await startTokenServer({ username: 'me', password: 'secret' });
    const registry = await startDockerRegistry({ token: tokens });
    const transport = createTransport();
    try {
      const name = parseReference(`${registry.address}/team/app:1`);
      await push(transport, name, me);
      const scopes = tokens.asked.map(({ params }) => params.getAll('scope'));
      expect(scopes).toEqual([['repository:team/app:pull,push']]);
    } finally {
      await transport.close();
      await registry.close();
      await tokens.close();
    }
  });
});

describe.skipIf(!hasTools('docker-registry', 'nginx', 'openssl', 'htpasswd'))(
  'nginx with TLS and a password',
  () => {
    let authority: Authority;
    let registry: DockerRegistry;
    let transport: Transport;

    beforeAll(async () => {
      authority = await createAuthority();
      registry = await startDockerRegistry();
      transport = createTransport({ ca: authority.pem });
    });
    afterAll(async () => {
      await transport.close();
      await registry.close();
      authority.remove();
    });

    test.each([
      ['any body', undefined],
      ['bodies up to 8 MiB: sent in chunks after the first refusal', '8m'],
      ['bodies up to 1 MiB, as it is set up by itself', '1m'],
    ])('that takes %s', async (_, maxBody) => {
      const certificate = await authority.server();
      const nginx = await startTlsNginx(registry.address, {
        certificate,
        username: 'me',
        password: 'secret',
        ...(maxBody && { maxBody }),
      });
      try {
        root = addImage(place, { layers: [randomBytes(17_000_000)] });
        const name = parseReference(`${nginx.address}/team/app:1`);
        await push(transport, name, me);
        const direct = openRepository(transport, name, { credentials: async () => me });
        expect(await direct.resolve(name)).toMatchObject({ digest: root.digest });
        const patches = nginx.log().filter((line) => /^PATCH .* 202$/.test(line));
        expect(patches).toHaveLength({ '8m': 3, '1m': 17 }[maxBody ?? ''] ?? 0);
      } finally {
        await nginx.close();
      }
    });
  },
);
