// containerd's hosts.toml and the certificate folders of docker and podman: what is found, in which order, and what is
// said of a file that is wrong.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRepository } from '../../src/reference/reference.ts';
import { hostsFolders } from '../../src/registry/hosts-toml.ts';
import { createRoutes, type Route } from '../../src/registry/route.ts';
import { settingsFolder } from '../support/settings-folder.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n';
const home = settingsFolder();
const { write } = home;

async function route(name: string, access: 'pull' | 'push' = 'pull', conf = ''): Promise<Route> {
  const file = write('registries.conf', conf);
  return await createRoutes({ file, hostsFolders: [home.path] }).to(parseRepository(name), access);
}

it('nothing configured: the registry itself', async () => {
  expect(await route('ghcr.io/a/b')).toMatchObject({ mirrors: [], origin: { origin: undefined, tls: {} } });
});

it("folders are looked for in the usual places, the user's first", () => {
  write('.config/docker/certs.d/x/ca.crt', PEM);
  write('.config/containerd/certs.d/x/hosts.toml', '');
  const [first, second] = hostsFolders({ HOME: home.path });
  expect([first, second]).toEqual([
    join(home.path, '.config/containerd/certs.d'),
    join(home.path, '.config/docker/certs.d'),
  ]);
});

describe('hosts', () => {
  it('are asked in their order, the server last, and are told which registry is meant', async () => {
    write(
      'docker.io/hosts.toml',
      `server = "https://registry-1.docker.io"
       [host."http://127.0.0.1:30020"]
         capabilities = ["pull", "resolve"]
         dial_timeout = "200ms"
       [host."https://public.example/cache"]
         capabilities = ["pull"]
       [host."https://harbor.example/v2/hub"]
         override_path = true
       [host."https://nothing.example"]
         capabilities = ["push"]`,
    );
    const { mirrors, origin } = await route('alpine');
    expect(mirrors).toEqual([
      expect.objectContaining({
        origin: 'http://127.0.0.1:30020',
        path: '/v2',
        namespace: 'docker.io',
        tags: true,
        digests: true,
        dialTimeoutMs: 200,
      }),
      expect.objectContaining({
        origin: 'https://public.example',
        path: '/cache/v2',
        tags: false,
        digests: true,
      }),
      expect.objectContaining({
        origin: 'https://harbor.example',
        path: '/v2/hub',
        tags: true,
        digests: true,
      }),
    ]);
    expect(mirrors[0]?.name).toEqual({ registry: '127.0.0.1:30020', repository: 'library/alpine' });
    expect(origin).toMatchObject({ origin: 'https://registry-1.docker.io', namespace: undefined });
    expect(await route('alpine', 'push')).toMatchObject({ mirrors: [] });
  });

  it.each(['"soon"', '3', '"-1s"'])('dial_timeout = %s is no length of time', async (value) => {
    write('docker.io/hosts.toml', `[host."https://m.example"]\ndial_timeout = ${value}`);
    await expect(route('alpine')).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringMatching(/hosts\.toml:2: .*dial_timeout: expected/) as string,
    });
  });

  it('_default is for registries without a folder of their own', async () => {
    write('_default/hosts.toml', '[host."http://localhost:1"]');
    write('own.example/hosts.toml', '[host."http://localhost:2"]');
    expect((await route('ghcr.io/a/b')).mirrors).toMatchObject([
      { origin: 'http://localhost:1', namespace: 'ghcr.io' },
    ]);
    expect((await route('own.example/b')).mirrors).toMatchObject([{ origin: 'http://localhost:2' }]);
  });

  it.each(['reg.example_5000_', 'reg.example:5000'])("a port in the folder's name: %s", async (folder) => {
    write(`${folder}/hosts.toml`, 'server = "other.example"');
    const { origin } = await route('reg.example:5000/a');
    expect(origin).toMatchObject({
      origin: 'https://other.example',
      namespace: 'reg.example:5000',
      name: { registry: 'other.example', repository: 'a' },
    });
  });

  it('TLS and headers are of the host they stand at', async () => {
    write('certs/ca.pem', PEM);
    write('certs/client.pem', `${PEM}key`);
    write(
      'a.example/hosts.toml',
      `skip_verify = true
       [header]
         x-own = "1"
       [host."https://m.example"]
         ca = ["../certs/ca.pem", "${join(home.path, 'certs/ca.pem')}"]
         client = [["../certs/ca.pem", "../certs/client.pem"]]
       [host."https://m.example".header]
         X-Custom = ["one", "two"]
       [host."https://n.example"]
         client = "../certs/client.pem"`,
    );
    const { mirrors, origin } = await route('a.example/b');
    expect(mirrors).toMatchObject([
      { tls: { ca: `${PEM}\n${PEM}`, cert: PEM, key: `${PEM}key` }, headers: { 'x-custom': 'one, two' } },
      { tls: { ca: undefined, cert: `${PEM}key`, key: `${PEM}key` }, headers: {} },
    ]);
    expect(origin).toMatchObject({ origin: undefined, tls: { insecure: true }, headers: { 'x-own': '1' } });
  });

  it('come after the mirrors of registries.conf, for the place that one names', async () => {
    write('inner.example/hosts.toml', '[host."http://localhost:2"]');
    const conf =
      '[[registry]]\nprefix = "a.example"\nlocation = "inner.example/a"\n[[registry.mirror]]\nlocation = "m.example"';
    expect(await route('a.example/b', 'pull', conf)).toMatchObject({
      mirrors: [
        { name: { registry: 'm.example', repository: 'b' } },
        { name: { registry: 'localhost:2', repository: 'a/b' }, namespace: 'inner.example' },
      ],
      origin: { name: { registry: 'inner.example', repository: 'a/b' } },
    });
  });
});

describe('certificate folders', () => {
  it('are used for a registry, and for a mirror', async () => {
    write('a.example/ca.crt', PEM);
    write('a.example/client.cert', `cert ${PEM}`);
    write('a.example/client.key', `key ${PEM}`);
    const tls = { ca: PEM, cert: `cert ${PEM}`, key: `key ${PEM}` };
    expect((await route('a.example/b', 'push')).origin.tls).toMatchObject(tls);
    const conf = '[[registry]]\nlocation = "b.example"\n[[registry.mirror]]\nlocation = "a.example/m"';
    const { mirrors, origin } = await route('b.example/c', 'pull', conf);
    expect(mirrors).toMatchObject([{ tls }]);
    expect(origin.tls).toEqual({});
  });

  it('a certificate without its key is an error', async () => {
    write('a.example/client.cert', PEM);
    await expect(route('a.example/b')).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringContaining('client.cert: expected its key beside it, as client.key'),
    });
  });
});

describe('errors name the file, the line and what was expected', () => {
  it.each([
    ['server = 1', ':1: server: expected a string'],
    ['server = "ht tp://x"', ':1: server: expected https://HOST'],
    [
      '\n[host."https://u:p@x.example"]',
      ':2: host.https://u:p@x.example: expected http://HOST or https://HOST',
    ],
    [
      '[host."https://x.example"]\n\ncapabilities = ["read"]',
      ':3: host.https://x.example.capabilities: expected some of pull, resolve, push',
    ],
    [
      '[host."https://x.example"]\nskip_verify = "no"',
      ':2: host.https://x.example.skip_verify: expected true or false',
    ],
    ['client = [[1]]', ':1: client: expected a file, or pairs of files'],
    ['proxy = "http://p"', ':1: proxy: expected it in $HTTPS_PROXY'],
    ['[host', ':1:'],
  ])('%j', async (text, expected) => {
    write('a.example/hosts.toml', text);
    await expect(route('a.example/b')).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      // A password in an address is nobody's to see.
      message: expect.stringContaining(
        `${join(home.path, 'a.example/hosts.toml')}${expected.replace('u:p@', '***@')}`,
      ),
    });
  });

  it('an authority that is not there', async () => {
    write('a.example/hosts.toml', 'ca = "none.pem"');
    await expect(route('a.example/b')).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining('none.pem'),
    });
  });
});
