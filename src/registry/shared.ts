// One flight per key: many callers wait for the same answer, and one caller's abort does not take it from the others.
import { abortError, throwIfAborted } from '../errors.ts';

/** The result of the flight for `key`, running or started now. Throws ABORTED when the caller's own signal fires. */
export async function shared<T>(
  flights: Map<string, Promise<T>>,
  key: string,
  start: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  throwIfAborted(signal);
  let flight = flights.get(key);
  if (flight === undefined) {
    flight = start().finally(() => flights.delete(key));
    flights.set(key, flight);
  }
  return await abortable(flight, signal);
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(abortError(signal));
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
