// Sixteen processes, sixteen images that share layers, one store: every name is there, and one copy of each blob.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Manifest, readBlob, writeImagesSharingLayers } from '../support/images-sharing-layers.ts';
import { hasTools, skopeo } from '../support/tools.ts';

const COUNT = 16;

describe.skipIf(!hasTools('skopeo', 'docker-registry'))('pulls at once into one store', () => {
  let dir: string;
  let registry: DockerRegistry;
  let digests: string[];
  const names: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ocitool-at-once-'));
    registry = await startDockerRegistry();
    digests = writeImagesSharingLayers(join(dir, 'images'), COUNT);
    for (let i = 1; i <= COUNT; i++) {
      const name = `${registry.address}/team/app-${i}:1`;
      await skopeo('copy', '--dest-tls-verify=false', `oci:${dir}/images:v${i}`, `docker://${name}`);
      names.push(name);
    }
  });
  afterAll(async () => {
    await registry.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('keeps all names and one copy of each blob', async () => {
    const store = join(dir, 'store');
    const env = { OCITOOL_STORE: store };
    const answers = await Promise.all(names.map((name) => cli(['pull', name], { env })));
    expect(answers.map((answer) => answer.trim())).toEqual(
      digests.map((digest, i) => `${registry.address}/team/app-${i + 1}@${digest}`),
    );

    const blobs = digests.flatMap((digest) => {
      const { config, layers } = readBlob<Manifest>(join(dir, 'images'), digest);
      return [digest, config.digest, ...layers.map((layer) => layer.digest)];
    });
    const expected = [...new Set(blobs)].map((digest) => digest.slice('sha256:'.length)).sort();
    expect(expected).toHaveLength(3 + 3 * COUNT);
    expect((await readdir(join(store, 'blobs/sha256'))).sort()).toEqual(expected);

    await cli(['check'], { env });
    for (const name of names) await skopeo('inspect', `oci:${store}:${name}`);
  }, 120_000);
});
