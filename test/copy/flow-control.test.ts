// What the flow control advises, on lines that are played in made-up time: no clock, no network, the same every time.
import { describe, expect, test } from 'vitest';
import { createFlowControl, type FlowControl } from '../../src/copy/flow-control.ts';
import { randomFrom } from '../support/fault-plan.ts';

interface PlayedLine {
  /** Bytes per second that so many flows give together. */
  speed(flows: number, seconds: number): number;
  /** Milliseconds until a new flow gives its first byte. */
  delay?: number;
  /** Bytes lost when the first request for everything is cut off for the first part. */
  lost?: number;
}

const MB = 1_000_000;
const STEP_MS = 10;
const TICK_MS = 100;

/** Reads `bytes` over the line, following every advice; the seconds it took and the flows at each second. */
function play(
  line: PlayedLine,
  { bytes = 500 * MB, most = 6, seconds = 600 } = {},
): { seconds: number; flows: number[]; control: FlowControl } {
  const control = createFlowControl({ most, enough: 300 * MB });
  const history: number[] = [];
  let flows = 1;
  let left = bytes + 0;
  let coming: number | undefined;
  let now = 0;
  control.running(1, 0);
  for (; left > 0 && now < seconds * 1000; now += STEP_MS) {
    if (now % 1000 === 0) history.push(flows);
    if (coming !== undefined && now >= coming) {
      coming = undefined;
      flows += 1;
      left += line.lost ?? 0;
      control.running(flows, now);
    }
    const came = (line.speed(flows, now / 1000) * STEP_MS) / 1000;
    left -= came;
    control.received(came);
    if (now % TICK_MS !== 0) continue;
    const advice = control.advise(now);
    if (advice === 'add') coming = now + (line.delay ?? 100);
    if (advice === 'drop') {
      flows -= 1;
      control.running(flows, now);
    }
  }
  return { seconds: now / 1000, flows: history, control };
}

describe('a line that is slow for each connection', () => {
  test('is read through as many as are allowed, 500 MB in less than a third of the time', () => {
    const { seconds, flows } = play({ speed: (n) => n * 25 * MB });
    expect(flows.at(-1)).toBe(6);
    expect(seconds).toBeLessThan(500 / 25 / 3);
  });

  test('is read through two where a third gives nothing', () => {
    const { flows } = play({ speed: (n) => Math.min(n, 2) * 10 * MB });
    expect(flows.slice(4).every((count) => count === 2 || count === 3)).toBe(true);
    expect(flows.filter((count) => count === 2).length).toBeGreaterThan(flows.length * 0.7);
  });

  test('that is quick all the same is not asked for more than is enough', () => {
    const { flows } = play({ speed: (n) => n * 160 * MB }, { bytes: 5000 * MB });
    expect(Math.max(...flows)).toBe(2);
  });
});

describe('a line that all connections share', () => {
  test('is read through one nearly always, and loses less than a twentieth', () => {
    const { seconds, flows } = play({ speed: () => 25 * MB, lost: 2 * MB });
    expect(Math.max(...flows)).toBeLessThanOrEqual(2);
    expect(flows.filter((count) => count > 1).length).toBeLessThan(flows.length / 4);
    expect(seconds).toBeLessThan(500 / 25 / 0.95);
  });

  test('that is slower with more of them is read through one', () => {
    const { seconds, flows } = play({ speed: (n) => (62 * MB) / n ** 0.6 });
    expect(Math.max(...flows)).toBeLessThanOrEqual(2);
    expect(seconds).toBeLessThan(500 / 62 / 0.9);
  });

  test('and is as fast as one process can be is left alone', () => {
    const { flows } = play({ speed: () => 400 * MB }, { bytes: 5000 * MB });
    expect(flows.every((count) => count === 1)).toBe(true);
  });
});

describe.each([1, 2, 3, 4, 5])('a line that wavers by a fifth (seed %i)', (seed) => {
  const wavering = (seconds: number): number =>
    0.8 + 0.4 * randomFrom(seed * 10_000 + Math.floor(seconds * 10))();

  test('and gives each connection its own is still read in less than a third of the time', () => {
    const line = { speed: (n: number, seconds: number) => n * 25 * MB * wavering(seconds) };
    expect(play(line, { bytes: 1000 * MB }).seconds).toBeLessThan(1000 / 25 / 3);
  });

  test('and is shared is still read through one or two', () => {
    const { flows } = play({ speed: (_, seconds) => 25 * MB * wavering(seconds) }, { bytes: 1000 * MB });
    expect(flows.reduce((sum, count) => sum + count, 0) / flows.length).toBeLessThan(2);
  });
});

test('a line that turns slower with the flows it has is given fewer', () => {
  const { flows } = play(
    { speed: (n, seconds) => (seconds < 10 ? n * 5 * MB : 20 * MB - n * 2 * MB) },
    { bytes: 400 * MB },
  );
  expect(Math.max(...flows)).toBe(6);
  expect(flows.at(-1)).toBeLessThanOrEqual(4);
});

test('a line that turns quicker for more connections is tried again', () => {
  const { flows } = play({ speed: (n, seconds) => (seconds < 5 ? 10 * MB : n * 10 * MB) });
  expect(flows[4]).toBe(1);
  expect(flows.at(-1)).toBe(6);
});

test('nothing is tried for a minute after a registry limited requests', () => {
  const control = createFlowControl({ most: 6, enough: 300 * MB });
  control.running(1, 0);
  control.setback('limited', 0);
  const advised = new Set<string>();
  for (let now = 0; now < 60_000; now += TICK_MS) {
    control.received(MB);
    advised.add(control.advise(now));
  }
  expect([...advised]).toEqual(['keep']);
  control.received(10 * MB);
  expect(control.advise(61_000)).toBe('add');
});

test('a flow that could not be had is not asked for again at once', () => {
  const control = createFlowControl({ most: 6, enough: 300 * MB });
  control.running(1, 0);
  let asked = 0;
  for (let now = 0; now < 20_000; now += TICK_MS) {
    control.received(MB);
    if (control.advise(now) !== 'add') continue;
    asked += 1;
    control.declined(now);
  }
  expect(asked).toBe(2);
});

test('a slow line is measured for longer', () => {
  const control = createFlowControl({ most: 6, enough: 300 * MB });
  control.running(1, 0);
  const added: number[] = [];
  for (let now = 0; now < 10_000; now += TICK_MS) {
    control.received(10_000);
    if (control.advise(now) === 'add') added.push(now);
  }
  expect(added[0]).toBeGreaterThan(3000);
});
