// How many connections to read from one host with: one more as long as that makes the sum of them faster, fewer when it
// does not, or when the host says so. A single S3 connection gave 74 MB/s where four gave 247; another registry gave 62
// through one and 27 through four. Knows nothing of connections: bytes, counts and times go in, advice comes out.

/** What to do about the number of flows. */
export type Advice = 'add' | 'drop' | 'keep';

/** Watches the flows from one host. Times are milliseconds of any clock that only goes forward. */
export interface FlowControl {
  /** Bytes per second over the last full interval; 0 before the first. */
  readonly rate: number;
  /** Bytes came, through whichever flow. */
  received(bytes: number): void;
  /** From now on so many flows give bytes. */
  running(flows: number, now: number): void;
  /** A flow goes on over a new connection: what comes now says nothing. */
  settle(now: number): void;
  /** Asked a few times a second. After `add` nothing else is advised before `running` or `declined`. */
  advise(now: number): Advice;
  /** The flow that was advised could not be had. */
  declined(now: number): void;
  /** The host limits requests, or a connection broke. */
  setback(kind: 'limited' | 'broken', now: number): void;
}

export interface FlowControlOptions {
  /** Flows at most. */
  most: number;
  /** Bytes per second from which on more are not worth their work: the line, or our own limit, is used up. */
  enough: number;
}

/** A new flow fills its window first; what it lacks after this, the next measurement has. */
const SETTLE_MS = 300;
/** The sum is measured over this long, and longer on slow lines, where a few packets more or less count for much. */
const MEASURE_MS = 300;
const MEASURE_BYTES = 2_000_000;
const MEASURE_MOST_MS = 3000;
/** Not before as much came, or so long: what comes ahead of a gap is lost to a kill, and little is soon there anyway. */
const FIRST_BYTES = 16_000_000;
const FIRST_MS = 3000;
/** A flow more is worth keeping when the sum grows by this, or by half of a flow's share where there are many. */
const GAIN = 1.12;
/** Measurements without a gain, after which a flow goes again: in one of them others may have been between two parts. */
const MISSES = 3;
/** A gain of this part of what was added, and two are added next: six flows in three trials, not in five. */
const NEARLY_ALL = 0.85;
/** A sum that is not this times what one flow fewer gave, twice in a row: the last one is of no use. */
const OF_USE = 1.05;
/** How long nothing is tried after it did not help, doubling each time. */
const HOLD_MS = 15_000;
const HOLD_MOST_MS = 60_000;
const LIMITED_HOLD_MS = 60_000;

interface Trial {
  /** `asked` until the flow is there, then `tried` until a measurement shows that it helps, or so many did not. */
  state: 'asked' | 'tried';
  /** Flows before it, and what they gave. */
  base: number;
  before: number;
  /** Flows still to be added before it is measured. */
  more: number;
  misses: number;
}

export function createFlowControl({ most, enough }: FlowControlOptions): FlowControl {
  let flows = 0;
  let bytes = 0;
  let total = 0;
  let begun: number | undefined;
  let from = 0;
  /** New flows are filling their windows: what comes before `from` does not count. */
  let settling = false;
  let rate = 0;
  /** What was measured last with so many flows. */
  const rates = new Map<number, number>();
  let trial: Trial | undefined;
  /** Flows that the next trial adds: two after one that gave nearly all of its share. */
  let step = 1;
  let useless = 0;
  let hold = HOLD_MS;
  let heldUntil = 0;

  function measureFrom(now: number): void {
    from = now;
    bytes = 0;
  }

  function holdFrom(now: number): void {
    heldUntil = now + hold;
    hold = Math.min(hold * 2, HOLD_MOST_MS);
  }

  function drop(now: number): Advice {
    trial = undefined;
    step = 1;
    useless = 0;
    holdFrom(now);
    return 'drop';
  }

  /** What the most flows gave that are fewer than now. */
  function withFewer(): number {
    const fewer = [...rates.keys()].filter((count) => count < flows);
    return rates.get(Math.max(...fewer)) ?? 0;
  }

  function isEarly(now: number): boolean {
    return total < FIRST_BYTES && now - (begun ?? now) < FIRST_MS;
  }

  /** One measurement is complete. */
  function judge(now: number): Advice {
    rates.set(flows, rate);
    if (trial?.state === 'tried') {
      const wanted = Math.min(GAIN, 1 + 0.5 / trial.base);
      if (rate < trial.before * wanted) {
        trial.misses += 1;
        return trial.misses < MISSES ? 'keep' : drop(now);
      }
      step = rate >= trial.before * (flows / trial.base) * NEARLY_ALL ? 2 : 1;
      trial = undefined;
      hold = HOLD_MS;
    } else if (flows > 1) {
      useless = rate < withFewer() * OF_USE ? useless + 1 : 0;
      if (useless > 1) return drop(now);
    }
    if (flows === 0 || flows >= most || rate >= enough || now < heldUntil || isEarly(now)) return 'keep';
    trial = { state: 'asked', base: flows, more: step - 1, before: rate, misses: 0 };
    return 'add';
  }

  function settle(now: number): void {
    from = now + SETTLE_MS;
    settling = true;
  }

  return {
    settle,
    get rate() {
      return rate;
    },
    received(count) {
      bytes += count;
      total += count;
    },
    running(count, now) {
      begun ??= now;
      const grew = trial?.state === 'asked' && count === flows + 1;
      trial = grew && trial ? { ...trial, state: 'tried' } : undefined;
      flows = count;
      settle(now);
      useless = 0;
    },
    advise(now) {
      if (trial?.state === 'tried' && trial.more > 0) {
        trial = { ...trial, state: flows < most ? 'asked' : 'tried', more: trial.more - 1 };
        if (trial.state === 'asked') return 'add';
      }
      if (settling) {
        if (now < from) return 'keep';
        settling = false;
        measureFrom(now);
      }
      const ms = now - from;
      if (ms < MEASURE_MS || (bytes < MEASURE_BYTES && ms < MEASURE_MOST_MS)) return 'keep';
      rate = (bytes * 1000) / ms;
      measureFrom(now);
      return trial?.state === 'asked' ? 'keep' : judge(now);
    },
    declined(now) {
      if (trial?.state !== 'asked') return;
      if (flows > trial.base) {
        trial = { ...trial, state: 'tried', more: 0 };
        return;
      }
      trial = undefined;
      holdFrom(now);
    },
    setback(kind, now) {
      trial = undefined;
      step = 1;
      holdFrom(now);
      if (kind === 'limited') heldUntil = Math.max(heldUntil, now + LIMITED_HOLD_MS);
    },
  };
}
