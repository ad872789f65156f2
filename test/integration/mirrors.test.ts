// Mirrors as people run them: docker-registry as a pull-through cache and our own `serve --proxy`, found by the files of
// podman and containerd, used by our command line and by skopeo.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { openRepository } from '../../src/registry/repository.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { type CliResult, cli, type RunningCli, runCli, startCli } from '../support/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { startHttpServer } from '../support/http-server.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools, skopeo } from '../support/tools.ts';

describe.skipIf(!hasTools('docker-registry', 'skopeo'))('mirrors', () => {
  const place = memoryPlace();
  const layer = randomBytes(6_000_000);
  const closers: (() => Promise<void> | void)[] = [];
  let dir: string;
  let image: Descriptor;
  let origin: DockerRegistry;
  let name: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'mirrors-real-'));
    closers.push(() => rmSync(dir, { recursive: true, force: true }));
    origin = await startDockerRegistry();
    closers.push(() => origin.close());
    name = `${origin.address}/team/app:1`;
    const reference = parseReference(name);
    image = addImage(place, { layers: [layer, randomBytes(300)] });
    nameImage(place, reference, image);
    const transport = createTransport();
    closers.push(() => transport.close());
    await createCopier(openRepository(transport, reference, { access: 'push' })).copy(place, reference);
  });

  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** A home with settings in it, and the environment that makes it somebody's. */
  function home(files: Record<string, string>): { env: Record<string, string>; path: string } {
    const path = mkdtempSync(join(dir, 'home-'));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    }
    return { path, env: { HOME: path, OCITOOL_STORE: join(path, 'store') } };
  }

  const mirrorOf = (location: string, settings = ''): string =>
    `[[registry]]\nlocation = "${origin.address}"\n${settings}\n[[registry.mirror]]\nlocation = "${location}"\n`;

  async function startProxy(
    upstream: string,
  ): Promise<{ address: string; running: RunningCli; store: string }> {
    const store = mkdtempSync(join(dir, 'proxy-'));
    const args = ['serve', '--port', '0', '--proxy', upstream, '--store', store];
    const running = startCli(args, { env: { HOME: store } });
    const address = await new Promise<string>((resolve, reject) => {
      running.process.stderr?.on('data', (text: string) => {
        const url = /listening on (http\S+)/.exec(text)?.[1];
        if (url !== undefined) resolve(new URL(url).host);
      });
      running.result.then((result) => reject(new Error(JSON.stringify(result))), reject);
    });
    closers.push(async () => {
      running.process.kill('SIGINT');
      await running.result;
    });
    return { address, running, store };
  }

  it('docker-registry in proxy mode, named in registries.conf', async () => {
    const cache = await startDockerRegistry({ proxyOf: `http://${origin.address}` });
    closers.push(() => cache.close());
    const conf = mirrorOf(cache.address);
    const first = home({ '.config/containers/registries.conf': conf });
    const { code, stderr } = await runCli(['pull', name], first);
    expect({ code, warnings: stderr.includes('mirror') }).toEqual({ code: 0, warnings: false });
    // What it had to get for us, it has: the next pull needs nobody behind it.
    const second = home({ 'mine.conf': conf.replace(origin.address, 'gone.invalid') });
    const env = { ...second.env, CONTAINERS_REGISTRIES_CONF: join(second.path, 'mine.conf') };
    expect(await cli(['pull', 'gone.invalid/team/app:1'], { env })).toContain(image.digest);
  });

  it('a mirror that is down is told of once', async () => {
    const cache = await startDockerRegistry();
    await cache.close();
    const { stdout, stderr, code } = await runCli(
      ['pull', name],
      home({ '.config/containers/registries.conf': mirrorOf(cache.address) }),
    );
    expect(code).toBe(0);
    expect(stdout).toContain(image.digest);
    expect(stderr.match(/mirror/g)).toHaveLength(2);
    expect(stderr).toContain('connection refused: going on without this mirror');
  });

  it('our own serve --proxy, found by hosts.toml as containerd finds it, and by skopeo', async () => {
    const { address, store } = await startProxy(origin.address);
    const folder = `.config/containerd/certs.d/${origin.address.replace(':', '_')}_/hosts.toml`;
    const user = home({ [folder]: `[host."http://${address}"]\ncapabilities = ["pull", "resolve"]\n` });
    await cli(['pull', name], user);
    expect(
      await (await openStore(join(user.path, 'store'))).has({
        mediaType: '',
        digest: digestOf(layer),
        size: layer.length,
      }),
    ).toBe(true);
    const cached = await openStore(store);
    await expect.poll(async () => (await cached.list()).map((entry) => entry.name)).toEqual([name]);
    const conf = join(user.path, 'skopeo.conf');
    // Nobody but the mirror has this name.
    writeFileSync(conf, `${mirrorOf(address).replace(origin.address, 'gone.invalid')}insecure = true\n`);
    await skopeo(
      '--registries-conf',
      conf,
      'copy',
      '--preserve-digests',
      '-q',
      '--src-tls-verify=false',
      'docker://gone.invalid/team/app:1',
      `oci:${join(user.path, 'layout')}:1`,
    );
    expect(await cli(['digest', `oci:${join(user.path, 'layout')}:1`], user)).toContain(image.digest);
    expect((await cached.check()).ok).toBe(true);
  });

  it('a proxy of a proxy', async () => {
    const inner = await startProxy(origin.address);
    const outer = await startProxy(inner.address);
    const output = join(dir, 'chained');
    await skopeo(
      'copy',
      '-q',
      '--src-tls-verify=false',
      `docker://${outer.address}/team/app:1`,
      `dir:${output}`,
    );
    await expect
      .poll(async () => (await (await openStore(outer.store)).list()).map((entry) => entry.name))
      .toEqual([`${inner.address}/team/app:1`]);
  });

  describe('refused', () => {
    const failed = ({
      code,
      stderr,
      stdout,
    }: CliResult): { code: number | null; stderr: string; stdout: string } => ({ code, stderr, stdout });

    it('blocked: exit 4, and the file named', async () => {
      const user = home({ '.config/containers/registries.conf': mirrorOf('m.invalid', 'blocked = true') });
      const result = failed(await runCli(['pull', name], user));
      expect(result).toEqual({
        code: 4,
        stdout: '',
        stderr: `error: ${origin.address}/team/app: blocked by the configuration of this machine\nhint: ${user.path}/.config/containers/registries.conf:1 blocks ${origin.address}; ask whoever wrote that\n`,
      });
    });

    it('a wrong file: exit 2, the line and what was expected', async () => {
      const user = home({ '.config/containers/registries.conf': mirrorOf('m.invalid', 'blocked = "no"') });
      const { code, stderr } = await runCli(['pull', name], user);
      expect(code).toBe(2);
      expect(stderr).toBe(
        `error: ${user.path}/.config/containers/registries.conf:3: registry.blocked: expected true or false\n`,
      );
      const { stdout } = await runCli(['pull', name, '--json'], user);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'SETTINGS_INVALID' } });
    });

    it('plain HTTP to another machine, and what is no registry', async () => {
      for (const proxy of ['http://registry.example', 'not a name']) {
        const { code } = await runCli(['serve', '--port', '0', '--proxy', proxy], home({}));
        expect(code).toBe(2);
      }
    });

    it('a server in front of itself', async () => {
      const free = await startHttpServer(() => {});
      await free.close();
      const { port } = new URL(`http://${free.address}`);
      const { code, stderr } = await runCli(['serve', '--port', port, '--proxy', free.address], home({}));
      expect(code).toBe(2);
      expect(stderr).toContain('that is this server itself');
    });
  });
});
