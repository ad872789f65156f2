// A network line in miniature: a speed of its own, a speed for each connection, and a round trip that connections,
// requests and windows wait for.
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface Line {
  /** Bytes per second of all connections together. */
  total?: number;
  /** Bytes per second of each connection. */
  perConnection?: number;
  /** Milliseconds there and back. A window of ten packets doubles with each, as TCP's does. */
  roundTrip?: number;
}

/** One line that any number of connections share. */
export interface OpenLine {
  /** Waits as long as a request takes to get there, and a new connection to come about. */
  request(socket: Socket): Promise<void>;
  /** Waits until `bytes` more have come through. */
  send(socket: Socket, bytes: number): Promise<void>;
  /** Bytes that are sent in one go: so few that little is on its way when a client dies, and no more often than needed. */
  portion: number;
}

const FIRST_WINDOW = 14_000;
const SLOW_PORTION = 16 * 1024;
const LATE_MS = 20;

interface Lane {
  /** When it is free again, by `performance.now`. */
  free: number;
  window: number;
  /** Bytes of the window that were sent. */
  sent: number;
}

export function openLine({ total = Infinity, perConnection = Infinity, roundTrip = 0 }: Line): OpenLine {
  const lanes = new WeakMap<Socket, Lane>();
  let free = 0;

  function laneOf(socket: Socket): Lane {
    const lane = lanes.get(socket) ?? { free: 0, window: FIRST_WINDOW, sent: 0 };
    lanes.set(socket, lane);
    return lane;
  }

  /** Milliseconds that `bytes` take on a lane: its window may be what limits it. */
  function onLane(lane: Lane, bytes: number): number {
    const speed = Math.min(perConnection, roundTrip === 0 ? Infinity : (lane.window * 1000) / roundTrip);
    lane.sent += bytes;
    if (lane.sent >= lane.window) {
      lane.sent = 0;
      if (speed < perConnection) lane.window *= 2;
    }
    return (bytes / speed) * 1000;
  }

  return {
    portion: Math.max(SLOW_PORTION, Math.min(total, perConnection, 100_000_000) / 1000),
    async request(socket) {
      const isNew = !lanes.has(socket);
      laneOf(socket);
      if (roundTrip > 0) await pause(isNew ? 2 * roundTrip : roundTrip);
    },
    async send(socket, bytes) {
      const lane = laneOf(socket);
      const now = performance.now();
      // A timer that rings late costs the line nothing.
      const earliest = now - LATE_MS;
      free = Math.max(free, earliest) + (bytes / total) * 1000;
      lane.free = Math.max(lane.free, earliest) + onLane(lane, bytes);
      const wait = Math.max(free, lane.free) - now;
      if (wait > 1) await pause(wait);
    },
  };
}
