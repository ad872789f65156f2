// Images unpacked while they come from a registry that fails at random: the tree is whole, or there is none and the error is
// the right one; once the registry is well the same command succeeds.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unpack } from '../../src/client/unpack.ts';
import { randomFrom } from '../support/fault-plan.ts';
import { type Getter, imageOfLayers, runSeed, type SeededImage } from '../support/fault-run.ts';
import { memoryFolder } from '../support/memory-folder.ts';
import { buildTar, directory, file } from '../support/tar-builder.ts';

const RUNS = Math.ceil(Number(process.env.OCITOOL_FAULT_RUNS ?? 2000) / 100);
const FIRST = Number(process.env.OCITOOL_FAULT_SEED ?? 1);
const AT_ONCE = 8;

let dir: string;
beforeAll(() => {
  dir = memoryFolder('ocitool-unpack-faults-');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Files of each image by their paths, sizes as the seed has them. */
const trees = new Map<SeededImage, string[]>();

for (const [number, sizes] of [
  [40],
  [300, 20_000],
  [0, 70_000, 300_000],
  [5000, 5000, 150_000, 9],
].entries()) {
  const random = randomFrom(number + 1);
  const layers = sizes.map((size, layer) => [
    directory(`layer${layer}/`),
    ...Array.from({ length: 5 }, (_, i) =>
      file(
        `layer${layer}/${i}`,
        Buffer.from(Array.from({ length: size / 5 }, () => Math.floor(random() * 256))),
      ),
    ),
  ]);
  const paths = layers.flatMap((members) => members.map(({ name }) => String(name).replace(/\/$/, '')));
  trees.set(imageOfLayers(layers.map(buildTar), number % 2 === 0), paths.sort());
}

test(`${RUNS} of them, from seed ${FIRST} on`, { timeout: 60_000 + RUNS * 10_000 }, async () => {
  const failures: string[] = [];
  let seed = FIRST;
  async function worker(): Promise<void> {
    while (seed < FIRST + RUNS && failures.length < 5) {
      const own = String(seed++);
      const places = join(dir, `${own}-places`);
      mkdirSync(places);
      const unpacked: Getter = async (client, name, image) => {
        const root = join(places, 'rootfs');
        try {
          await unpack(client, `docker://${name}`, root);
        } catch (error) {
          const left = readdirSync(places).join(' ');
          if (left !== '') throw new Error(`left: ${left}`, { cause: error });
          throw error;
        }
        expect(readdirSync(root, { recursive: true }).map(String).sort()).toEqual(trees.get(image));
        rmSync(root, { recursive: true });
      };
      await runSeed(Number(own), [...trees.keys()], join(dir, own), unpacked).catch((error: Error) => {
        failures.push(error.message);
      });
      rmSync(places, { recursive: true, force: true });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(failures.join('\n\n')).toBe('');
});
