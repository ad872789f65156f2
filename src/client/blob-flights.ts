// Blobs on their way into the store that several readers follow: however many ask for one, it is fetched once.
import type { LimitFunction } from 'p-limit';
import type { BlobStore } from '../blobstore/store.ts';
import { watchArrivals } from '../copy/arrivals.ts';
import { copyBlob } from '../copy/copy-blob.ts';
import { createFlowGroup, type FlowGroup } from '../copy/flow-group.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isArriving } from '../place/arrival.ts';
import { type ImageSource, isSplit } from '../place/place.ts';
import type { OnProgress } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';
import type { UpstreamBlob } from '../serve/upstream.ts';

export interface BlobFlights {
  /** The blob, being fetched from now on unless it is already; `landed` is called when it is in the store. */
  follow(source: ImageSource, descriptor: Descriptor, landed: () => Promise<void>): Promise<UpstreamBlob>;
  /** Resolves when all have stopped; the signal stops them. */
  close(): Promise<void>;
}

export interface FlightOptions {
  signal: AbortSignal;
  /** Hears of warnings and retries. */
  onProgress?: OnProgress | undefined;
  limit: LimitFunction;
}

interface Flight {
  arrivals: ReturnType<typeof watchArrivals>;
  over: Promise<void>;
  /** Those who may still read its file, the flight itself being one. */
  users: number;
}

export function createBlobFlights(
  store: BlobStore,
  { signal, onProgress, limit }: FlightOptions,
): BlobFlights {
  const flights = new Map<Digest, Flight>();
  /** All come from one host, and share its connections. */
  let flows: FlowGroup | undefined;

  function leave(flight: Flight): void {
    flight.users -= 1;
    if (flight.users === 0) flight.arrivals.close();
  }

  /** Goes on when nobody follows it any more: the next who asks will want it. */
  async function fly(flight: Flight, source: ImageSource, descriptor: Descriptor): Promise<void> {
    const { arrivals } = flight;
    if (isSplit(source)) flows ??= createFlowGroup(source);
    try {
      await limit(() =>
        copyBlob(source, arrivals.target, descriptor, {
          signal,
          flows,
          onProgress: (event) => {
            if (event.type === 'warning' || event.type === 'retrying') onProgress?.(event);
          },
        }),
      );
    } catch (error) {
      arrivals.fail(error);
      throw error;
    } finally {
      flights.delete(descriptor.digest);
      leave(flight);
    }
  }

  function start(source: ImageSource, descriptor: Descriptor, landed: () => Promise<void>): Flight {
    const flight: Flight = {
      arrivals: watchArrivals(store, [descriptor]),
      over: Promise.resolve(),
      users: 1,
    };
    flights.set(descriptor.digest, flight);
    // Whoever follows it hears of its failure by the arrival.
    flight.over = fly(flight, source, descriptor)
      .then(landed)
      .catch(() => {});
    return flight;
  }

  return {
    async follow(source, descriptor, landed) {
      const flight = flights.get(descriptor.digest) ?? start(source, descriptor, landed);
      flight.users += 1;
      const arrival = flight.arrivals.of(descriptor);
      try {
        const bytes = await arrival.readable();
        if (isArriving(bytes)) {
          const content = { file: bytes, arrived: arrival.arrived, release: () => leave(flight) };
          return { descriptor, content };
        }
        leave(flight);
        return { descriptor, content: bytes };
      } catch (error) {
        leave(flight);
        throw error;
      }
    },
    async close() {
      await Promise.all([...flights.values()].map(({ over }) => over));
    },
  };
}
