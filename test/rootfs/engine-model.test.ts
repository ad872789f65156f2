// Random stacks of layers through the engine, on disk, against a slow and plain model of the rules.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { type Seen, snapshot } from '../support/disk-snapshot.ts';
import { engineOutcome, isRefusal, modelOutcome } from '../support/engine.ts';
import { writeLayers } from '../support/layers.ts';
import { memoryFolder } from '../support/memory-folder.ts';
import type { Member } from '../support/tar-builder.ts';

/** Stacks tried; CONTRIBUTING.md. */
const STACKS = Number(process.env.OCITOOL_STACKS ?? 10_000);
/** Of so many stacks, one goes through the worker threads as well. */
const PER_POOL = 100;

const isRoot = process.geteuid?.() === 0;
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
const nanoseconds = fc
  .tuple(fc.integer({ min: 1, max: 2_000_000_000 }), fc.integer({ min: 0, max: 999_999_999 }))
  .map(([seconds, nanos]) => ({ mtime: `${seconds}.${String(nanos).padStart(9, '0')}` }));
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');
/** Attributes everybody may set on a file or directory, and those of root. */
const attributes: fc.Arbitrary<Member['pax']> = fc.constantFrom<Member['pax'][]>(
  {},
  { 'SCHILY.xattr.user.note': 'hello' },
  ...(isRoot
    ? [
        { 'SCHILY.xattr.trusted.note': Buffer.from([1, 0, 255]), 'SCHILY.xattr.user.note': '' },
        { 'SCHILY.xattr.security.capability': CAPABILITY },
      ]
    : []),
);
/** Adds what only PAX headers hold to one entry in four. */
function withPax(members: fc.Arbitrary<Member>): fc.Arbitrary<Member> {
  const plain = ({ type = '0', name }: Member): boolean => !/\.wh\./.test(String(name)) && /[05]/.test(type);
  return fc.oneof(
    { weight: 3, arbitrary: members },
    {
      weight: 1,
      arbitrary: fc
        .tuple(members, nanoseconds, attributes)
        .map(([entry, time, more]) => ({ ...entry, pax: { ...time, ...(plain(entry) ? more : {}) } })),
    },
  );
}
const parent = fc.oneof(
  fc.constant(''),
  path.map((p) => `${p}/`),
);
const anyMember: fc.Arbitrary<Member> = fc.oneof(
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
    weight: isRoot ? 1 : 0,
    arbitrary: fc
      .tuple(path, metadata, fc.constantFrom('3', '4'), fc.nat(200), fc.nat(200))
      .map(([p, m, type, major, minor]) => ({ name: p, type, major, minor, ...m })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(parent, name, metadata).map(([p, n, m]) => ({ name: `${p}.wh.${n}`, ...m })),
  },
  { weight: 1, arbitrary: fc.tuple(parent, metadata).map(([p, m]) => ({ name: `${p}.wh..wh..opq`, ...m })) },
);
const member = withPax(anyMember);
// A broken hard link ends a stack early; most stacks have none, so that whole trees are compared as well.
const withoutLinks = member.filter(({ type }) => type !== '1');
const stack = fc.oneof(
  fc.array(fc.array(member, { maxLength: 10 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.array(withoutLinks, { maxLength: 14 }), { minLength: 2, maxLength: 4 }),
);

let folder: string;
beforeAll(() => {
  folder = memoryFolder('engine-model-');
});
afterAll(() => removeTree(folder));

/** The engine as `unpack` runs it; undefined when it refused. */
async function pool(layers: Member[][]): Promise<Record<string, Seen> | undefined> {
  const work = join(folder, 'pool');
  mkdirSync(work);
  try {
    await unpack(writeLayers(folder, layers), join(work, 'rootfs'), { verifyBlob: true, workers: 2 });
    return Object.fromEntries(snapshot(join(work, 'rootfs')));
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  } finally {
    removeTree(work);
  }
}

/** Enough bytes in small files for the idle worker to be sent to help, before and after the layer's own entries. */
function heavy(layer: Member[]): Member[] {
  const files = (letter: string): Member[] =>
    Array.from({ length: 90 }, (_, i) => ({
      name: `a/${letter}${i}`,
      content: `${letter}`.repeat(8000 + i),
    }));
  return [...files('x'), ...layer, ...files('y')];
}

describe('random stacks of layers', () => {
  it('unpack to what the model says', () => {
    let whole = 0;
    fc.assert(
      fc.property(stack, (layers) => {
        const expected = modelOutcome(layers);
        if (expected !== undefined && Object.keys(expected).length > 3) whole++;
        const actual = engineOutcome(folder, layers);
        // `toEqual` takes longer than the engine; it is for telling the difference.
        if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
      }),
      { numRuns: STACKS },
    );
    expect(whole).toBeGreaterThan(STACKS / 8);
  }, 3_600_000);

  it('unpack to the same with workers and helpers', async () => {
    await fc.assert(
      fc.asyncProperty(stack, fc.nat(3), async (layers, index) => {
        const heavier = layers.map((layer, i) => (i === index % layers.length ? heavy(layer) : layer));
        expect(await pool(heavier)).toEqual(modelOutcome(heavier));
      }),
      { numRuns: Math.ceil(STACKS / PER_POOL) },
    );
  }, 3_600_000);
});
