// Random stacks of layers through the engine, on disk, against a slow and plain model of the rules.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { imageCounters } from '../../src/layer/image-share.ts';
import { layerLimits } from '../../src/layer/limits.ts';
import { placeTree } from '../../src/rootfs/place.ts';
import { readLayer } from '../../src/rootfs/read-layer.ts';
import { mergeLayers } from '../../src/rootfs/read-tree.ts';
import { removeTree } from '../../src/rootfs/staging.ts';
import { type Seen, snapshot } from '../support/disk-snapshot.ts';
import { writeLayers } from '../support/layers.ts';
import { modelOf } from '../support/model.ts';
import type { Member } from '../support/tar-builder.ts';

const name = fc.constantFrom('a', 'b', 'c', 'd');
const plainPath = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const path = fc.oneof(
  { weight: 8, arbitrary: plainPath },
  { weight: 1, arbitrary: fc.tuple(plainPath, plainPath).map(([a, b]) => `${a}/../${b}`) },
  { weight: 1, arbitrary: plainPath.map((p) => `./${p}`) },
);
const target = fc.oneof(
  plainPath,
  plainPath.map((p) => `/${p}`),
  plainPath.map((p) => `../${p}`),
  fc.constantFrom('.', '..', '../..', '/'),
);
const metadata = fc.record({
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4755, 0o2711, 0o000, 0o1777),
  uid: fc.constantFrom(0, 0, 1000, 65534),
  gid: fc.constantFrom(0, 0, 50),
  mtime: fc.integer({ min: 1, max: 2_000_000_000 }),
});
const parent = fc.oneof(
  fc.constant(''),
  path.map((p) => `${p}/`),
);
const member: fc.Arbitrary<Member> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(path, fc.string({ maxLength: 8 }), metadata)
      .map(([p, content, m]) => ({ name: p, content, ...m })),
  },
  { weight: 4, arbitrary: fc.tuple(path, metadata).map(([p, m]) => ({ name: `${p}/`, type: '5', ...m })) },
  {
    weight: 2,
    arbitrary: fc.tuple(path, target, metadata).map(([p, link, m]) => ({ name: p, type: '2', link, ...m })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(path, path, metadata).map(([p, link, m]) => ({ name: p, type: '1', link, ...m })),
  },
  { weight: 1, arbitrary: fc.tuple(path, metadata).map(([p, m]) => ({ name: p, type: '6', ...m })) },
  {
    weight: 2,
    arbitrary: fc.tuple(parent, name, metadata).map(([p, n, m]) => ({ name: `${p}.wh.${n}`, ...m })),
  },
  { weight: 1, arbitrary: fc.tuple(parent, metadata).map(([p, m]) => ({ name: `${p}.wh..wh..opq`, ...m })) },
);
// A broken hard link ends a stack early; most stacks have none, so that whole trees are compared as well.
const withoutLinks = member.filter(({ type }) => type !== '1');
const stack = fc.oneof(
  fc.array(fc.array(member, { maxLength: 10 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.array(withoutLinks, { maxLength: 14 }), { minLength: 2, maxLength: 4 }),
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engine-model-'));
});
afterAll(() => removeTree(folder));

/** The engine without its threads; undefined when it refused. */
function engine(stackOfMembers: Member[][]): Map<string, Seen> | undefined {
  const sources = writeLayers(folder, stackOfMembers);
  const work = join(folder, 'work');
  mkdirSync(work);
  try {
    const stages = sources.map((_, index) => join(work, String(index)));
    const counters = imageCounters(sources.length);
    const results = sources.map(({ descriptor, location }, index) =>
      readLayer(
        {
          descriptor,
          location,
          diffId: undefined,
          limits: layerLimits(),
          share: { counters, layer: index },
          verifyBlob: true,
          stage: stages[index],
        },
        () => {},
      ),
    );
    placeTree(mergeLayers(sources, results), results, stages, join(work, 'rootfs'));
    return snapshot(join(work, 'rootfs'));
  } catch (error) {
    if (isOciError(error, 'LAYER_INVALID') || isOciError(error, 'LAYER_REFUSED')) return undefined;
    throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function model(stackOfMembers: Member[][]): Map<string, Seen> | undefined {
  try {
    return modelOf(stackOfMembers);
  } catch {
    return undefined;
  }
}

describe('random stacks of layers', () => {
  it('unpack to what the model says', () => {
    let whole = 0;
    fc.assert(
      fc.property(stack, (layers) => {
        const expected = model(layers);
        const actual = engine(layers);
        if (expected !== undefined && expected.size > 3) whole++;
        expect(actual && Object.fromEntries(actual)).toEqual(expected && Object.fromEntries(expected));
      }),
      { numRuns: Number(process.env.ENGINE_MODEL_RUNS ?? 400) },
    );
    expect(whole).toBeGreaterThan(50);
  }, 120_000);
});
