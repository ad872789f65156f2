// Pushes to a real registry through connections that fail at random: what the registry then has is what was pushed, or
// the push failed with the right error and nothing names what is not there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { isOciError } from '../../src/errors.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { openRepository } from '../../src/registry/repository.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { FAULTS_IN_A_ROW, pick, type Random, randomFrom } from '../support/fault-plan.ts';
import { type Asked, behind, type Fault, startFaultProxy } from '../support/fault-proxy.ts';
import { seededImages, sourceOf } from '../support/fault-run.ts';
import { hasTools } from '../support/tools.ts';

const RUNS = Number(process.env.OCITOOL_FAULT_RUNS ?? 2000) / 40;
const AT_ONCE = 8;
const RETRY = { retries: 5, baseMs: 1, capMs: 3, retryAfterCapMs: 4 };

function faultOf(random: Random, { method }: Asked): Fault {
  const faults: Fault[] = [
    { type: 'reset' },
    { type: 'status', status: pick(random, [429, 500, 502, 503]) },
    { type: 'status', status: 503, headers: { 'retry-after': '0' } },
  ];
  // What was done without an answer: the client cannot know.
  if (method !== 'GET' && method !== 'HEAD') faults.push({ type: 'lost-answer' }, { type: 'lost-answer' });
  return pick(random, faults);
}

describe.skipIf(!hasTools('docker-registry'))('pushes', () => {
  let registry: DockerRegistry;
  let dir: string;
  beforeAll(async () => {
    registry = await startDockerRegistry();
    dir = mkdtempSync(join(tmpdir(), 'ocitool-push-faults-'));
  });
  afterAll(async () => {
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const images = seededImages();

  async function run(seed: number): Promise<void> {
    const random = randomFrom(seed);
    const image = pick(random, images);
    const often = pick(random, [0.1, 0.3, 0.6]);
    const isDead = random() < 0.2;
    const faults = new Map<string, number>();
    const played: string[] = [];
    const proxy = await startFaultProxy(behind(registry.address), (asked) => {
      const resource = `${asked.method} ${asked.path.replace(/uploads\/.+/, 'uploads/')}`;
      const count = faults.get(resource) ?? 0;
      if (isDead && asked.method === 'PUT') return { type: 'status', status: 403 };
      if (count >= FAULTS_IN_A_ROW || random() >= often) return { type: 'none' };
      faults.set(resource, count + 1);
      const fault = faultOf(random, asked);
      played.push(`${resource}: ${JSON.stringify(fault)}`);
      return fault;
    });
    const transport = createTransport({ plainHttp: true, timeoutMs: 30_000, retry: RETRY });
    const direct = createTransport({ plainHttp: true });
    const name = parseReference(`${proxy.address}/seed-${seed}:1`);
    const real = parseReference(`${registry.address}/seed-${seed}:1`);
    try {
      const target = openRepository(transport, name, { access: 'push' });
      const pushing = createCopier(target).copy(sourceOf(image), name, { allPlatforms: true });
      const failure = await pushing.then(
        () => undefined,
        (error: Error) => error,
      );
      const origin = openRepository(direct, real);
      if (isDead) {
        expect(isOciError(failure, 'DENIED')).toBe(true);
        await expect(origin.resolve(real)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
        return;
      }
      if (failure !== undefined) throw failure;
      const store = await openStore(join(dir, String(seed)));
      const { root } = await createCopier(store).copy(origin, real, { allPlatforms: true });
      expect(root.digest).toBe(image.root.digest);
      rmSync(join(dir, String(seed)), { recursive: true, force: true });
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}\n${played.join('\n')}`, { cause: error });
    } finally {
      await Promise.all([transport.close(), direct.close()]);
      await proxy.close();
    }
  }

  test(`${RUNS} of them`, { timeout: 60_000 + RUNS * 1000 }, async () => {
    const failures: string[] = [];
    let seed = 1;
    async function worker(): Promise<void> {
      while (seed <= RUNS) {
        const own = seed++;
        await run(own).catch((error: Error) => failures.push(error.message));
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(failures.slice(0, 5).join('\n\n')).toBe('');
  });
});
