// A registry of one blob that fails in chosen ways: each request for the blob takes the next fault of the plan.
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { type Fault, memoryRegistry, startFaultProxy } from './fault-proxy.ts';

export type { Fault } from './fault-proxy.ts';

export interface FaultServer {
  /** `127.0.0.1:40123` */
  address: string;
  descriptor: Descriptor;
  /** The Range header of each request for the blob, in order. */
  readonly ranges: (string | undefined)[];
  close(): Promise<void>;
}

/** Starts one on loopback. Without a fault left in the plan the blob is served well, ranges included. */
export async function startFaultServer(content: Buffer, plan: Fault[]): Promise<FaultServer> {
  const digest = digestOf(content);
  const faults = [...plan];
  const upstream = memoryRegistry({
    blobs: new Map([[digest, content]]),
    tags: new Map(),
    mediaTypes: new Map(),
  });
  const proxy = await startFaultProxy(upstream, ({ path }) =>
    path === '/v2/' ? { type: 'none' } : (faults.shift() ?? { type: 'none' }),
  );
  return {
    address: proxy.address,
    descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: content.length },
    get ranges() {
      return proxy.requests.filter(({ path }) => path !== '/v2/').map(({ headers }) => headers.range);
    },
    close: proxy.close,
  };
}
