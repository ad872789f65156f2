// A real multi-platform image through a real registry: pushed by skopeo, pulled by us, read again by skopeo.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { corpus } from '../support/corpora.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { hasTools, skopeo } from '../support/tools.ts';

interface Index {
  manifests: { digest: string; platform: { os: string; architecture: string; variant?: string } }[];
}

interface Inspected {
  architecture: string;
  variant?: string;
}

const archive = corpus('images-real/alpine-3.7.3-6-platforms.oci.tar');

describe.skipIf(archive === undefined || !hasTools('skopeo', 'docker-registry'))(
  'alpine for six platforms',
  () => {
    let dir: string;
    let registry: DockerRegistry;
    let name: string;
    let index: Index;

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'ocitool-alpine-'));
      registry = await startDockerRegistry();
      name = `${registry.address}/library/alpine:3.7.3`;
      await skopeo('copy', '--all', '--dest-tls-verify=false', `oci-archive:${archive}`, `docker://${name}`);
      index = JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`)) as Index;
    });
    afterAll(async () => {
      await registry.close();
      await rm(dir, { recursive: true, force: true });
    });

    it('pulls one platform after the other into one store', async () => {
      const env = { OCITOOL_STORE: join(dir, 'one-by-one') };
      expect(index.manifests).toHaveLength(6);
      for (const { platform } of index.manifests) {
        const wanted = [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
        await cli(['pull', '--platform', wanted, name], { env });
        const config = JSON.parse(
          await cli(['inspect', '--config', '--platform', wanted, name], { env }),
        ) as Inspected;
        expect(config.architecture).toBe(platform.architecture);
      }
      await cli(['check'], { env });
    });

    it('pulls all platforms at once, and skopeo copies all of them out of the store', async () => {
      const env = { OCITOOL_STORE: join(dir, 'all') };
      const [, list = ''] = (await cli(['pull', '--all-platforms', name], { env })).trim().split('@');
      await cli(['check'], { env });
      await skopeo('copy', '--all', `oci:${env.OCITOOL_STORE}:${name}`, `dir:${dir}/copied`);
      const stored = await readdir(join(env.OCITOOL_STORE, 'blobs/sha256'));
      expect(stored).toHaveLength(1 + 6 * 3);
      const copied = (await readdir(join(dir, 'copied'))).map((file) => file.replace('.manifest.json', ''));
      expect(copied.filter((file) => /^[0-9a-f]{64}$/.test(file)).sort()).toEqual(
        stored.filter((file) => file !== list.slice('sha256:'.length)).sort(),
      );
      // skopeo 1.9 writes the list anew as the OCI index it takes it for; what it points at is the same.
      const digests = async (path: string): Promise<string[]> =>
        (JSON.parse(await readFile(path, 'utf8')) as Index).manifests.map(({ digest }) => digest);
      expect(await digests(join(dir, 'copied/manifest.json'))).toEqual(
        await digests(join(env.OCITOOL_STORE, 'blobs', list.replace(':', '/'))),
      );
    });
  },
);
