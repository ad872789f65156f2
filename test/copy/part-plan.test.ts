// Whoever reads which part, in whatever order things happen: every byte is read once, and the reach is true.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPartPlan, PART_LEAST, type Part, type Split } from '../../src/copy/part-plan.ts';

const MiB = 1 << 20;

test('parts are taken in order, the last one with what would be too little after it', () => {
  const plan = createPartPlan(100, 100 + 30 * MiB);
  const parts = [1, 2, 3, 4].map(() => plan.next({ bytes: 10 * MiB, rest: false }));
  expect(parts.map((part) => part && [part.at - 100, part.to - 100])).toEqual([
    [0, 10 * MiB],
    [10 * MiB, 20 * MiB],
    [20 * MiB, 30 * MiB],
    undefined,
  ]);
  expect(parts[2]?.open).toBe(true);
});

test('of one request for everything the next part but one goes to a new flow, and the rest to nobody', () => {
  const plan = createPartPlan(0, 100 * MiB);
  const first = plan.next({ bytes: 10 * MiB, rest: true })!;
  first.at = 5 * MiB;
  const split = plan.split(10 * MiB)!;
  expect(first.to).toBe(100 * MiB);
  expect(plan.takeOver(split)).toBe(true);
  expect([first.to, split.part.at, split.part.to]).toEqual([15 * MiB, 15 * MiB, 25 * MiB]);
  expect(plan.next({ bytes: 10 * MiB, rest: false })).toMatchObject({ at: 25 * MiB, to: 35 * MiB });
});

test('what the other flow has reached meanwhile is not taken from it', () => {
  const plan = createPartPlan(0, 100 * MiB);
  const first = plan.next({ bytes: 10 * MiB, rest: true })!;
  const split = plan.split(10 * MiB)!;
  first.at = 10 * MiB + 1;
  expect(plan.takeOver(split)).toBe(false);
  expect(first.to).toBe(100 * MiB);
});

test('a part that is nearly through is left to its flow', () => {
  const plan = createPartPlan(0, 50 * MiB);
  const first = plan.next({ bytes: 10 * MiB, rest: true })!;
  first.at = 43 * MiB;
  expect(plan.split(10 * MiB)).toBeUndefined();
});

test('every byte is read once, whatever happens in whatever order', () => {
  const sizes = fc.integer({ min: 1, max: 120 * MiB });
  const step = fc.record({
    what: fc.constantFrom('read', 'read', 'read', 'next', 'rest', 'split', 'take', 'release'),
    who: fc.nat(),
    bytes: fc.integer({ min: 1, max: 20 * MiB }),
  });
  fc.assert(
    fc.property(
      sizes,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(step, { maxLength: 60 }),
      (size, share, steps) => {
        const begin = Math.floor(size * share);
        const plan = createPartPlan(begin, size);
        const read: [from: number, to: number][] = begin === 0 ? [] : [[0, begin]];
        let flows: Part[] = [];
        let asked: Split | undefined;
        const advance = (part: Part, bytes: number): void => {
          const to = Math.min(part.to, part.at + bytes);
          read.push([part.at, to]);
          part.at = to;
          if (part.at >= part.to) flows = flows.filter((one) => one !== part);
        };
        const add = (part: Part | undefined): void => void (part !== undefined && flows.push(part));
        for (const { what, who, bytes } of steps) {
          const part = flows[who % Math.max(1, flows.length)];
          if (what === 'read' && part !== undefined) advance(part, bytes);
          if (what === 'next' || what === 'rest') add(plan.next({ bytes, rest: what === 'rest' }));
          if (what === 'split') asked = plan.split(bytes);
          if (what === 'take' && asked !== undefined) {
            if (plan.takeOver(asked)) add(asked.part);
            asked = undefined;
          }
          if (what === 'release' && part !== undefined) {
            plan.release(part);
            flows = flows.filter((one) => one !== part);
          }
          expect(plan.reach()).toBe(contiguous(read));
        }
        for (let part = flows[0] ?? plan.next({ bytes: PART_LEAST, rest: false }); part !== undefined; ) {
          advance(part, size);
          part = flows[0] ?? plan.next({ bytes: PART_LEAST, rest: false });
        }
        expect(read.reduce((sum, [from, to]) => sum + to - from, 0)).toBe(size);
        expect(contiguous(read)).toBe(size);
      },
    ),
    { numRuns: 2000 },
  );
});

/** Bytes from the start that were read without a gap. */
function contiguous(read: readonly [number, number][]): number {
  let reach = 0;
  for (const [from, to] of [...read].sort((a, b) => a[0] - b[0])) {
    if (from > reach) break;
    reach = Math.max(reach, to);
  }
  return reach;
}
