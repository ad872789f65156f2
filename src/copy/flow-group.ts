// All that is being read from one host: what comes in is counted together, and a connection more is given to the blob that
// has most left. Connections are bounded for the host, whatever number of blobs is under way.
import { monotonicMs } from '../monotonic-ms.ts';
import type { SplitSource } from '../place/place.ts';
import { createFlowControl } from './flow-control.ts';
import { PART_LEAST } from './part-plan.ts';

/** One blob being read, as its group sees it. */
export interface Reading {
  /** Connections it has. */
  readonly flows: number;
  /** Bytes nobody reads yet. */
  readonly left: number;
  /** Starts one more; false when there is nothing worth a connection of its own, or the host has none to give. */
  grow(): Promise<boolean>;
  /** Lets one end when it is through with its part. */
  shrink(): void;
}

/** Where the connections to one host are decided about. */
export interface FlowGroup {
  /** Bytes of one part. */
  readonly partBytes: number;
  received(bytes: number): void;
  /** Connections that give bytes: so many more, or fewer. */
  running(change: 1 | -1): void;
  /** A flow goes on over a new connection. */
  reconnected(): void;
  /** The host limits requests (`status` 429), or a connection broke. */
  setback(status: number | undefined): void;
  enter(reading: Reading): void;
  leave(reading: Reading): void;
}

const TICK_MS = 50;
/** Bytes per second from which on one process has enough to do with them. */
const ENOUGH = 300_000_000;
/** A part takes so long that the round trip between two of them does not show. */
const PART_SECONDS = 1.5;
const PART_MOST = 64 << 20;
/** The group of the source's host. */
export function createFlowGroup({ connections, bytesPerSecond = ENOUGH }: SplitSource): FlowGroup {
  // A rate that is limited to this is reached at a little less.
  const enough = Math.min(ENOUGH, 0.9 * bytesPerSecond);
  const control = createFlowControl({ most: connections, enough });
  const readings = new Set<Reading>();
  let flows = 0;
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const now = monotonicMs();
    const advice = control.advise(now);
    if (advice === 'add') {
      const reading = most((one) => one.left);
      const grown = reading === undefined ? Promise.resolve(false) : reading.grow();
      void grown.then((isGrown) => {
        if (!isGrown) control.declined(monotonicMs());
      });
    } else if (advice === 'drop') {
      shrink();
    }
  }

  function shrink(): void {
    const widest = most((one) => one.flows);
    if (widest !== undefined && widest.flows > 1) widest.shrink();
  }

  function most(by: (reading: Reading) => number): Reading | undefined {
    return [...readings].sort((a, b) => by(b) - by(a))[0];
  }

  return {
    get partBytes() {
      return Math.min(PART_MOST, Math.max(PART_LEAST, (PART_SECONDS * control.rate) / Math.max(1, flows)));
    },
    received: control.received,
    running(change) {
      flows += change;
      control.running(flows, monotonicMs());
      // A blob whose turn has come must not wait for the parts of another.
      if (flows > connections) shrink();
    },
    reconnected: () => control.settle(monotonicMs()),
    setback(status) {
      control.setback(status === 429 ? 'limited' : 'broken', monotonicMs());
    },
    enter(reading) {
      readings.add(reading);
      timer ??= setInterval(tick, TICK_MS).unref();
    },
    leave(reading) {
      readings.delete(reading);
      if (readings.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
}
