// What goes wrong in one run, from a seed: some faults at each resource before the registry recovers, or one resource that
// never does.
import type { ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/reference/digest.ts';
import type { Asked, Fault } from './fault-proxy.ts';

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** Faults at one resource in a row; fewer than the attempts of a client that should get over them. */
export const FAULTS_IN_A_ROW = 3;

export interface FaultPlan {
  /** The fault for the next request. */
  next(asked: Asked): Fault;
  /** The codes that are right when it fails; undefined when it must succeed. */
  expected: readonly ErrorCode[] | undefined;
  /** What was played, for messages. */
  played: string[];
}

type Kind = 'manifest' | 'blob' | 'head' | 'ping' | 'token';

/** The plan of a seed. The faults of a resource depend on nothing but the seed and how often it was asked for. */
export function faultPlan(seed: number, { dead }: { dead?: string | undefined } = {}): FaultPlan {
  const random = randomFrom(seed);
  const often = pick(random, [0.15, 0.4, 0.8]);
  const death = dead === undefined ? undefined : permanentFault(random);
  const asked = new Map<string, number>();
  /** Where bytes were changed: once, a second time is what a client may give up at. */
  const corrupted = new Set<string>();
  const played: string[] = [];
  return {
    played,
    expected: death?.expected,
    next(request) {
      const kind = kindOf(request);
      const resource = `${kind} ${request.path.split('?')[0]?.split('/').slice(3).join('/')}`;
      const count = asked.get(resource) ?? 0;
      asked.set(resource, count + 1);
      const own = randomFrom(Number.parseInt(digestOf(`${seed} ${resource} ${count}`).slice(7, 15), 16));
      let fault: Fault = { type: 'none' };
      if (death !== undefined && kind === 'blob' && request.path.endsWith(dead ?? '')) fault = death.fault;
      else if (count < FAULTS_IN_A_ROW && own() < often) fault = passingFault(own, kind);
      if (fault !== death?.fault && corrupts(fault)) {
        if (corrupted.has(resource)) fault = { type: 'none' };
        corrupted.add(resource);
      }
      if (fault.type !== 'none') played.push(`${resource} #${count}: ${JSON.stringify(fault)}`);
      return fault;
    },
  };
}

function corrupts(fault: Fault): boolean {
  return fault.type === 'corrupt' || (fault.type === 'redirect' && corrupts(fault.storage));
}

function kindOf({ method, path }: Asked): Kind {
  if (path.startsWith('/token')) return 'token';
  if (path === '/v2/') return 'ping';
  if (method === 'HEAD') return 'head';
  return path.includes('/manifests/') ? 'manifest' : 'blob';
}

/** One that a patient client gets over. */
function passingFault(random: Random, kind: Kind): Fault {
  const at = Math.floor(random() * pick(random, [10, 2000, 40_000, 300_000]));
  const status = (): Fault => {
    const retryAfter = pick(random, [undefined, '0', '1', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon', '-1', '']);
    return {
      type: 'status',
      status: pick(random, [429, 500, 502, 503, 503, 504, 408]),
      headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
      body: pick(random, [
        '',
        '<html>Bad Gateway</html>',
        '{"errors":[{"code":"UNKNOWN","message":"busy"}]}',
      ]),
    };
  };
  const any: (() => Fault)[] = [status, status, () => ({ type: 'reset' })];
  // A silent server costs its client's whole patience: rarer than the others.
  if (random() < 0.04) return random() < 0.5 ? { type: 'stall' } : { type: 'stall', at };
  if (kind === 'head') any.push(() => lyingHead(random));
  if (kind === 'manifest' || kind === 'blob') {
    any.push(
      () => ({ type: 'reset', at }),
      () => ({ type: 'cut', at }),
      () => ({ type: 'slow-start', portion: pick(random, [1, 100, 5000]) }),
      () => ({ type: 'corrupt', at }),
      () => ({ type: 'redirect', storage: failingStorage(random, at) }),
    );
  }
  if (kind === 'blob') {
    any.push(
      () => ({ type: 'short', at }),
      () => ({ type: 'truncated', at }),
      () => ({ type: 'ignore-range' }),
      () => ({
        type: 'wrong-range',
        contentRange: pick(random, [undefined, 'bytes 0-9/10', 'bytes 5-', 'x']),
      }),
      () => ({ type: 'redirect', storage: failingStorage(random, at) }),
    );
  }
  return pick(random, any)();
}

/** The other host of a redirect, which signs, expires and breaks by itself. */
function failingStorage(random: Random, at: number): Fault {
  return pick<Fault>(random, [
    { type: 'none' },
    { type: 'reset' },
    { type: 'cut', at },
    { type: 'corrupt', at },
    { type: 'status', status: 500 },
    { type: 'status', status: 503, headers: { 'retry-after': '0' } },
    { type: 'status', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' },
  ]);
}

function lyingHead(random: Random): Fault {
  return pick<Fault>(random, [
    { type: 'head-lies', headers: { 'content-length': '7' } },
    { type: 'head-lies', headers: { 'content-length': undefined } },
    { type: 'head-lies', headers: { 'docker-content-digest': undefined } },
    { type: 'head-lies', headers: { 'docker-content-digest': digestOf('another') } },
    { type: 'head-lies', headers: { 'content-type': 'text/plain' } },
    { type: 'head-lies', status: 405 },
    { type: 'head-lies', status: 403 },
    { type: 'head-lies', status: 404 },
  ]);
}

/** One that no patience gets over, and what the client may call it. */
function permanentFault(random: Random): { fault: Fault; expected: readonly ErrorCode[] } {
  const at = Math.floor(random() * 500);
  return pick<{ fault: Fault; expected: readonly ErrorCode[] }>(random, [
    { fault: { type: 'status', status: 500 }, expected: ['REGISTRY_ERROR'] },
    { fault: { type: 'status', status: 503, headers: { 'retry-after': '9' } }, expected: ['REGISTRY_ERROR'] },
    { fault: { type: 'status', status: 429 }, expected: ['RATE_LIMITED'] },
    { fault: { type: 'status', status: 404 }, expected: ['BLOB_NOT_FOUND'] },
    { fault: { type: 'status', status: 403 }, expected: ['DENIED'] },
    { fault: { type: 'status', status: 401 }, expected: ['UNAUTHORIZED'] },
    { fault: { type: 'status', status: 400 }, expected: ['REGISTRY_ERROR'] },
    { fault: { type: 'reset' }, expected: ['NETWORK'] },
    { fault: { type: 'reset', at: 0 }, expected: ['NETWORK'] },
    { fault: { type: 'truncated', at: 0 }, expected: ['NETWORK'] },
    { fault: { type: 'cut', at: 0 }, expected: ['NETWORK'] },
    { fault: { type: 'corrupt', at }, expected: ['DIGEST_MISMATCH'] },
    { fault: { type: 'endless' }, expected: ['SIZE_MISMATCH'] },
    { fault: { type: 'redirect', storage: { type: 'status', status: 403 } }, expected: ['REGISTRY_ERROR'] },
    { fault: { type: 'redirect', storage: { type: 'status', status: 500 } }, expected: ['REGISTRY_ERROR'] },
    { fault: { type: 'redirect', storage: { type: 'reset' } }, expected: ['NETWORK'] },
    { fault: { type: 'redirect', storage: { type: 'corrupt', at } }, expected: ['DIGEST_MISMATCH'] },
  ]);
}
