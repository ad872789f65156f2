// A pull that dies by `kill -9`, again and again: the next one goes on where it was, and the store is sound.
// $OCITOOL_TROUBLE=10 kills ten times as many.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildStandIn } from '../../scripts/stand-in.ts';
import { cli, startCli } from '../support/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Manifest, readBlob } from '../support/images-sharing-layers.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { hasTools, skopeo } from '../support/tools.ts';

const MORE = Number(process.env.OCITOOL_TROUBLE ?? 1);
const KILLS = 50 * MORE;
const BYTES_PER_SECOND = 10e6;
/** Most bytes that a pull gets before it is killed. */
const REACH = 8e6;

/** Numbers in [0, 1), the same on each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.skipIf(!hasTools('skopeo', 'docker-registry'))('a pull killed at any moment', () => {
  let dir: string;
  let registry: DockerRegistry;
  let proxy: SlowProxy;
  let name: string;
  let imageBytes: number;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ocitool-kill-'));
    registry = await startDockerRegistry();
    const list = buildStandIn(join(dir, 'image'));
    const [amd64] = readBlob<{ manifests: { digest: string }[] }>(join(dir, 'image'), list).manifests;
    const { config, layers } = readBlob<Manifest>(join(dir, 'image'), amd64?.digest ?? '');
    imageBytes = [config, ...layers].reduce((sum, { size }) => sum + size, 0);
    await skopeo(
      'copy',
      '--all',
      '--dest-tls-verify=false',
      `oci:${dir}/image`,
      `docker://${registry.address}/app:1`,
    );
    proxy = await startSlowProxy(registry.address, BYTES_PER_SECOND);
    name = `${proxy.address}/app:1`;
  });
  afterAll(async () => {
    await proxy.close();
    await registry.close();
    await rm(dir, { recursive: true, force: true });
  });

  it(
    'goes on where it was killed, fetches next to nothing twice and leaves a sound store',
    async () => {
      const random = seeded(26);
      let stores = 1;
      let killed = 0;
      const pull = ['pull', '--platform', 'linux/amd64', name];
      const env = () => ({ OCITOOL_STORE: join(dir, `store-${stores}`) });

      while (killed < KILLS) {
        const running = startCli(pull, { env: env() });
        // Four of five die while bytes come in, the others at a time that may be any: starting, committing, naming.
        const moment = random() < 0.8 ? proxy.after(random() * REACH) : pause(random() * 600);
        const ended = await Promise.race([running.result, moment]);
        running.process.kill('SIGKILL');
        const { code, stderr } = await running.result;
        if (code === null) killed++;
        if (ended !== undefined) {
          expect(`${code} ${stderr}`).toMatch(/^0 /);
          await cli(['check'], { env: env() });
          await rm(env().OCITOOL_STORE, { recursive: true });
          stores++;
        }
      }
      await cli(pull, { env: env() });
      await cli(['check'], { env: env() });
      await skopeo('copy', `oci:${env().OCITOOL_STORE}:${name}`, `oci:${dir}/copied:x`);

      const sent = [...proxy.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
      const twice = sent / (stores * imageBytes) - 1;
      console.log(
        `${killed} kills, ${stores} images of ${(imageBytes / 1e6).toFixed(1)} MB, ${(100 * twice).toFixed(2)} % of the bytes fetched twice`,
      );
      expect(twice).toBeLessThan(0.05);
      expect(proxy.resumed).toBeGreaterThan(KILLS / 2);
    },
    300_000 * MORE,
  );
});
