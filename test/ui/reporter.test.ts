import { expect, test, vi } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { createBars } from '../../src/ui/bars.ts';
import { createPaint, wantsColor } from '../../src/ui/color.ts';
import { createJsonLines } from '../../src/ui/json-lines.ts';
import { createPlainLines } from '../../src/ui/plain-lines.ts';
import { createTransferState } from '../../src/ui/transfer-state.ts';
import { blobOf, whyWaiting } from '../../src/ui/waiting.ts';

const layer = (name: string, size: number) => ({ mediaType: 'x/y', digest: digestOf(name), size });
const a = layer('a', 1000);
const b = layer('b', 2_000_000);

test('plain lines tell what happened, once', () => {
  const lines: string[] = [];
  const reporter = createPlainLines((line) => lines.push(line));
  reporter.onProgress({ type: 'queued', descriptor: a });
  reporter.onProgress({ type: 'started', descriptor: a, offset: 0 });
  reporter.onProgress({ type: 'advanced', digest: a.digest, bytes: 500 });
  reporter.onProgress({ type: 'done', descriptor: a });
  reporter.onProgress({ type: 'reused', descriptor: b });
  reporter.onProgress({ type: 'retrying', what: 'GET blob', reason: '429', attempt: 1, delayMs: 1500 });
  expect(lines).toEqual([
    'ca978112ca1b: pulled, 1.00kB',
    '3e23e8160039: already there, 2.00MB',
    'GET blob: 429, again in 2s',
  ]);
});

test('JSON lines carry the events', () => {
  const lines: string[] = [];
  const reporter = createJsonLines((line) => lines.push(line));
  reporter.onProgress({ type: 'started', descriptor: a, offset: 0 });
  for (let bytes = 1; bytes <= 1000; bytes += 1)
    reporter.onProgress({ type: 'advanced', digest: a.digest, bytes });
  expect(JSON.parse(lines[0]!)).toEqual({ type: 'started', descriptor: a, offset: 0 });
  // A thousand events in far less than a second are thinned out.
  expect(lines.length).toBeLessThan(20);
});

test('a file that is hashed: every byte of it in the end, some of the steps before', () => {
  const lines: string[] = [];
  const reporter = createJsonLines((line) => lines.push(line));
  for (let bytes = 1; bytes <= 1000; bytes += 1)
    reporter.onProgress({ type: 'hashing', path: 'big.bin', bytes, size: 1000 });
  expect(lines.length).toBeLessThan(20);
  expect(JSON.parse(lines.at(-1)!)).toEqual({ type: 'hashing', path: 'big.bin', bytes: 1000, size: 1000 });
});

test.each([80, 30])('bars on %i columns: a file that is hashed has a line until it is done', (columns) => {
  vi.useFakeTimers();
  let screen = '';
  const bars = createBars({ columns, rows: 24, write: (text) => (screen += text) }, createPaint(false));
  try {
    bars.onProgress({ type: 'hashing', path: 'some/\u001bfolder/big.bin', bytes: 500_000, size: 2_000_000 });
    vi.runAllTimers();
    const [line = ''] = lastFrame(screen);
    expect(line).toMatch(/^hashing +500kB \/ +2\.00MB +2/);
    expect(line.length).toBeLessThan(columns);
    expect(line.endsWith('  some/\\x1bfolder/big.bin')).toBe(columns === 80);
    bars.onProgress({ type: 'hashing', path: 'big.bin', bytes: 2_000_000, size: 2_000_000 });
  } finally {
    bars.close();
    vi.useRealTimers();
  }
  expect(lastFrame(screen)).toEqual(['']);
});

test('bars: a line a layer, a sum, the cursor back, nothing wider than the screen', () => {
  let screen = '';
  const bars = createBars({ columns: 60, rows: 24, write: (text) => (screen += text) }, createPaint(false));
  bars.onProgress({ type: 'queued', descriptor: a });
  bars.onProgress({ type: 'queued', descriptor: b });
  bars.onProgress({ type: 'done', descriptor: a });
  bars.onProgress({ type: 'started', descriptor: b, offset: 0 });
  bars.onProgress({ type: 'advanced', digest: b.digest, bytes: 1_000_000 });
  bars.close();
  const lines = screen.split('\n').map((line) => line.replace(/\u001b\[\??\d*[a-zA-Z]|\r/g, ''));
  expect(lines[0]).toMatch(/^ca978112ca1b {2}✔ pulled/);
  expect(lines[1]).toMatch(/^3e23e8160039 {2}━+─+ {2} *1\.00MB \/ +2\.00MB/);
  expect(lines[2]).toMatch(/^1 of 2 done {2}1\.00MB \/ 2\.00MB/);
  expect(lines.every((line) => line.length < 60)).toBe(true);
  expect(screen.endsWith('\u001b[?25h')).toBe(true);
});

test('more layers than rows: only what moves is shown', () => {
  let screen = '';
  const bars = createBars({ columns: 80, rows: 10, write: (text) => (screen += text) }, createPaint(false));
  for (let i = 0; i < 50; i += 1) bars.onProgress({ type: 'queued', descriptor: layer(`layer${i}`, 100) });
  bars.onProgress({ type: 'started', descriptor: layer('layer7', 100), offset: 0 });
  bars.close();
  expect(screen.split('\n').length).toBeLessThanOrEqual(10);
  expect(screen).toContain('0 of 50 done');
});

test('the rate counts what arrived, not what was there', () => {
  const state = createTransferState();
  state.apply({ type: 'resumed', descriptor: b, offset: 1_500_000 }, 0);
  for (let i = 1; i <= 10; i += 1) {
    state.apply({ type: 'advanced', digest: b.digest, bytes: 1_500_000 + i * 10_000 }, i * 100);
  }
  expect(state.rate(1000)).toBeCloseTo(100_000, -4);
});

/** What is on the screen after the last redraw. */
function lastFrame(screen: string): string[] {
  const frame = screen.split('\u001b[J').at(-1) ?? '';
  return frame.split('\n').map((line) => line.replace(/\u001b\[\??\d*[a-zA-Z]|\r/g, ''));
}

const retrying = { type: 'retrying', reason: 'x answered 503', attempt: 1, delayMs: 1500 } as const;

test('the sum tells the rate, what is left, what was there and what was resumed', () => {
  const state = createTransferState();
  state.apply({ type: 'queued', descriptor: a }, 0);
  state.apply({ type: 'reused', descriptor: a }, 0);
  state.apply({ type: 'resumed', descriptor: b, offset: 1_000_000 }, 0);
  for (let i = 1; i <= 10; i += 1) {
    state.apply({ type: 'advanced', digest: b.digest, bytes: 1_000_000 + i * 50_000 }, i * 100);
  }
  const { rate, left, ...sum } = state.sum(1000);
  expect(sum).toEqual({
    done: 1,
    count: 2,
    held: 1_501_000,
    total: 2_001_000,
    reused: 1000,
    resumed: 1_000_000,
  });
  expect(rate).toBeCloseTo(500_000, -5);
  expect(left).toBeCloseTo(1, 0);
});

test.each([
  [120, 'rate limited until'],
  [80, 'rate limited until'],
  [60, 'rate limited until'],
  [40, ''],
  [20, ''],
])('bars on %i columns tell why a blob waits, and are not wider', (columns, told) => {
  let screen = '';
  const bars = createBars({ columns, rows: 24, write: (text) => (screen += text) }, createPaint(false));
  bars.onProgress({ type: 'queued', descriptor: a });
  bars.onProgress({ type: 'queued', descriptor: b });
  bars.onProgress({ type: 'started', descriptor: b, offset: 0 });
  bars.onProgress({ type: 'advanced', digest: b.digest, bytes: 1_000_000 });
  const what = `registry.example/library/alpine@${b.digest}`;
  bars.onProgress({ ...retrying, what, status: 429, delayMs: 60_000 });
  bars.close();
  const lines = lastFrame(screen);
  expect(lines[1]).toContain(told);
  expect(lines.every((line) => line.length < columns)).toBe(true);
});

test('what waits before there is a blob has a line of its own until it goes on', () => {
  let screen = '';
  const bars = createBars({ columns: 80, rows: 24, write: (text) => (screen += text) }, createPaint(false));
  const state = createTransferState();
  for (const apply of [bars.onProgress, (event: ProgressEvent) => state.apply(event, 0)]) {
    apply({ ...retrying, what: 'registry.example/app:1', status: 503 });
  }
  expect(state.waiting).toBe('registry.example/app:1: x answered 503, again in 2s');
  state.apply({ type: 'resolved', name: 'registry.example/app:1', descriptor: a }, 0);
  expect(state.waiting).toBe('');
  bars.close();
});

test('why something waits: the time of day for long waits, without what was said already', () => {
  const now = new Date(2026, 0, 1, 12, 3, 31);
  const what = `example.com/app@${a.digest}`;
  const why = (more: object): string => whyWaiting({ ...retrying, what, ...more }, now);
  expect(why({ status: 429, delayMs: 60_000 })).toBe('rate limited until 12:04:31');
  expect(why({ delayMs: 15_000 })).toBe('x answered 503, again at 12:03:46');
  expect(why({ reason: `${what}: example.com: reset` })).toBe('example.com: reset, again in 2s');
  expect(blobOf({ ...retrying, what })).toBe(a.digest);
  expect(blobOf({ ...retrying, what: 'example.com/app:1' })).toBeUndefined();
});

test('colour only where it is wanted', () => {
  expect(wantsColor(true, {})).toBe(true);
  expect(wantsColor(false, {})).toBe(false);
  expect(wantsColor(true, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColor(false, { FORCE_COLOR: '1' })).toBe(true);
  expect(wantsColor(true, { TERM: 'dumb' })).toBe(false);
});
