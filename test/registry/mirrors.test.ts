// Reading through mirrors: who is asked, in which order, and with whose credentials.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digest, manifest } from '../../src/client/documents.ts';
import { pull } from '../../src/client/pull.ts';
import { push } from '../../src/client/push.ts';
import { createAuthority } from '../support/certificates.ts';
import { addImage } from '../support/image-builder.ts';
import {
  blobs,
  clientOf,
  closers,
  home,
  image,
  mirror,
  mirrored,
  name,
  open,
  origin,
  place,
  setUpMirrors,
  warnings,
  write,
} from '../support/mirror-setup.ts';
import { type PlaceServer, servePlace } from '../support/place-server.ts';
import { hasTools } from '../support/tools.ts';

setUpMirrors();

it('a mirror that has everything is asked for everything, and the registry for nothing', async () => {
  const client = clientOf(mirrored([`${mirror.address}/cache`]));
  const [pulled] = await pull(client, name());
  expect(pulled).toMatchObject({ name: name(), root: { digest: image.digest } });
  expect(origin.requests).toHaveLength(0);
  expect(blobs(mirror)).toHaveLength(3);
  expect(mirror.asked().every((line) => / \/v2\/(cache\/team\/app\/|$)/.test(line))).toBe(true);
  expect(warnings()).toEqual([]);
});

it('the first of two that has it is enough', async () => {
  const second = await open(place);
  await pull(clientOf(mirrored([mirror.address, second.address])), name());
  expect(second.requests).toHaveLength(0);
});

it('another location is asked instead of the registry', async () => {
  const conf = `[[registry]]\nprefix = "never.example/team"\nlocation = "${origin.address}/inner"`;
  await pull(clientOf(conf), 'never.example/team/app:1');
  expect(origin.asked()).toContain('HEAD /v2/inner/app/manifests/1');
});

it('a host of hosts.toml is told the registry, and reached at its path with its headers', async () => {
  const folder = `${origin.address.replace(':', '_')}_`;
  write(
    `certs.d/${folder}/hosts.toml`,
    `[host."http://${mirror.address}/v2/hub"]\noverride_path = true\n[host."http://${mirror.address}/v2/hub".header]\nx-token = "s3cret"`,
  );
  await pull(clientOf(''), name());
  expect(origin.requests).toHaveLength(0);
  const api = mirror.requests.filter(({ url }) => url?.includes('/team/'));
  expect(api.length).toBeGreaterThan(3);
  for (const { url, headers } of api) {
    expect(url).toMatch(/^\/v2\/hub\/team\/app\/(manifests|blobs)\/[^?]+\?ns=127\.0\.0\.1%3A\d+$/);
    expect(headers['x-token']).toBe('s3cret');
  }
});

it('headers of a mirror do not follow a redirect to another host', async () => {
  const storage = await open(place);
  mirror.intercept = (request, response) => {
    if (request.url?.includes('/blobs/') !== true) return false;
    response.writeHead(307, { location: `http://${storage.address}${request.url}` }).end();
    return true;
  };
  write(`certs.d/_default/hosts.toml`, `[host."http://${mirror.address}".header]\nx-token = "s3cret"`);
  await pull(clientOf(''), name());
  expect(blobs(storage)).toHaveLength(3);
  expect(storage.requests.filter(({ headers }) => 'x-token' in headers)).toEqual([]);
});

it('pushes go to the registry alone', async () => {
  const client = clientOf(mirrored([mirror.address]));
  await pull(client, name());
  mirror.requests.length = 0;
  await push(client, name());
  expect(mirror.requests).toHaveLength(0);
  expect(origin.requests.length).toBeGreaterThan(0);
});

describe('a host that takes connections and says nothing', () => {
  /** Silent in the middle of TLS, which counts as connecting. */
  async function silent(): Promise<string> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on('error', () => {})));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  // The time is less than the 15 seconds that are waited without `dial_timeout`.
  it('is a mirror no longer than its dial_timeout', { timeout: 12_000 }, async () => {
    write('certs.d/_default/hosts.toml', `[host."${await silent()}"]\ndial_timeout = "50ms"`);
    await digest(clientOf(''), `docker://${name()}`);
    expect(warnings()).toEqual([expect.stringContaining('timed out while connecting')]);
  });

  it('is the registry no longer than its dial_timeout', async () => {
    write('certs.d/quiet.example/hosts.toml', `server = "${await silent()}"\ndial_timeout = "50ms"`);
    const asked = digest(clientOf(''), 'docker://quiet.example/a:1');
    await expect(asked).rejects.toMatchObject({
      code: 'TIMEOUT',
      cause: { message: expect.stringContaining('timeout: 50ms') as string },
    });
  });
});

describe('credentials', () => {
  const basic = (user: string): string => `Basic ${Buffer.from(`${user}:${user}-secret`).toString('base64')}`;

  function authFile(hosts: Record<string, string>): string {
    const auths = Object.fromEntries(
      Object.entries(hosts).map(([host, user]) => [host, { auth: basic(user).slice('Basic '.length) }]),
    );
    return write('auth.json', JSON.stringify({ auths }));
  }

  function wantLogin(server: PlaceServer, user: string): void {
    server.intercept = (request, response) => {
      if (request.headers.authorization === basic(user)) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
  }

  it("the registry's never reach a mirror, whatever it asks for", async () => {
    wantLogin(origin, 'primary');
    wantLogin(mirror, 'nobody');
    const client = clientOf(mirrored([mirror.address]));
    authFile({ [origin.address]: 'primary' });
    await pull(client, name());
    expect(mirror.requests.length).toBeGreaterThan(0);
    expect(mirror.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    expect(blobs(origin).length).toBeGreaterThan(0);
  });

  it('a mirror gets those that are kept under its own name', async () => {
    wantLogin(origin, 'primary');
    wantLogin(mirror, 'theirs');
    const client = clientOf(mirrored([mirror.address]));
    authFile({ [origin.address]: 'primary', [mirror.address]: 'theirs' });
    await pull(client, name());
    expect(origin.requests).toHaveLength(0);
    const sent = new Set(mirror.requests.map(({ headers }) => headers.authorization));
    expect([...sent].filter((value) => value !== undefined)).toEqual([basic('theirs')]);
  });
});

describe('tags', () => {
  it.each(['pull-from-mirror = "digest-only"', 'by-digest-only'])(
    '%s: the registry says what a tag is',
    async (setting) => {
      const conf =
        setting === 'by-digest-only'
          ? mirrored([mirror.address]).replace('\n', '\nmirror-by-digest-only = true\n')
          : mirrored([mirror.address], setting);
      mirror.tags.set('1', addImage(place));
      expect(await digest(clientOf(conf), `docker://${name()}`)).toBe(image.digest);
      expect(mirror.asked().filter((line) => line.includes('/manifests/'))).toEqual([]);
      // What the tag stands for is content like any other.
      mirror.requests.length = 0;
      await pull(clientOf(conf), name());
      expect(blobs(mirror)).toHaveLength(3);
      expect(blobs(origin)).toHaveLength(0);
    },
  );

  it('tag-only: a digest is asked for at the registry, a tag and what it leads to at the mirror', async () => {
    const conf = mirrored([mirror.address], 'pull-from-mirror = "tag-only"');
    await pull(clientOf(conf), `${origin.address}/team/app@${image.digest}`);
    expect(mirror.requests).toHaveLength(0);
    origin.requests.length = 0;
    await pull(clientOf(conf), name());
    expect(origin.requests).toHaveLength(0);
  });

  it('a mirror without the tag is asked for nothing near it', async () => {
    mirror.tags.clear();
    await manifest(clientOf(mirrored([mirror.address])), `docker://${name()}`);
    expect(mirror.asked().filter((line) => line.includes('tags/list'))).toEqual([]);
    expect(warnings()).toEqual([
      expect.stringMatching(/^mirror .*: no such image: asking 127\.0\.0\.1:\d+$/),
    ]);
  });
});

describe('what is configured is obeyed by name only', () => {
  it('a blocked registry is not asked', async () => {
    const client = clientOf(`[[registry]]\nlocation = "${origin.address}"\nblocked = true`);
    await expect(pull(client, name())).rejects.toMatchObject({ code: 'DENIED' });
    await expect(digest(client, `docker://${name()}`)).rejects.toMatchObject({ code: 'DENIED' });
    expect(origin.requests).toHaveLength(0);
  });

  it('an alias is what the short name means, in the store too', async () => {
    const client = clientOf(`[aliases]\n"app" = "${origin.address}/team/app"`);
    const [pulled] = await pull(client, 'app:1');
    expect(pulled?.name).toBe(name());
    expect(await digest(client, 'app:1')).toBe(image.digest);
    expect(
      origin.asked().filter((line) => line.startsWith('GET') && line.includes('/manifests/')),
    ).toHaveLength(1);
  });
});

it.skipIf(!hasTools('openssl'))('an authority and skip_verify are of the host they stand at', async () => {
  const authority = await createAuthority();
  closers.push(() => authority.remove());
  const secure = await servePlace(place, await authority.server());
  closers.push(() => secure.close());
  secure.tags.set('1', image);
  const hosts = (settings: string): void =>
    void write('certs.d/_default/hosts.toml', `[host."https://${secure.address}"]\n${settings}`);
  hosts('');
  await digest(clientOf(''), `docker://${name()}`);
  expect(warnings()).toEqual([expect.stringContaining('not trusted here: going on without this mirror')]);
  origin.requests.length = 0;
  for (const settings of [`ca = "${authority.certFile}"`, 'skip_verify = true']) {
    hosts(settings);
    expect(await digest(clientOf(''), `docker://${name()}`)).toBe(image.digest);
  }
  expect(origin.requests).toHaveLength(0);
  expect(secure.requests.length).toBeGreaterThan(0);
  const itself = `docker://${secure.address}/team/app:1`;
  await expect(
    digest(clientOf('', { registries: { file: '/dev/null', hostsFolders: [] } }), itself),
  ).rejects.toMatchObject({ code: 'TLS' });
  const insecure = clientOf(`[[registry]]\nlocation = "${secure.address}"\ninsecure = true`, {
    registries: { file: join(home, 'registries.conf'), hostsFolders: [] },
  });
  expect(await digest(insecure, itself)).toBe(image.digest);
});
