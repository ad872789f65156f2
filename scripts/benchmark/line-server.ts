// A registry behind a line of a given speed, with one image of one large layer; a process of its own, as the benchmark runs
// its tools synchronously. Prints its address. usage: node line-server.ts MEGABYTES '{"perConnection": 25e6, "roundTrip": 50}'
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { memoryRegistry } from '../../test/support/fault-proxy.ts';
import { addImage, memoryPlace } from '../../test/support/image-builder.ts';
import { type Line, openLine } from '../../test/support/line.ts';

const [megabytes = '', line = '{}'] = process.argv.slice(2);
const { request: arrive, send, portion } = openLine(JSON.parse(line) as Line);
const layer = Buffer.alloc(Number(megabytes) * 1e6);
for (let at = 0; at < layer.length; at += 4096) layer.writeUInt32LE(at, at);
const place = memoryPlace();
const root = addImage(place, { layers: [layer] });
const registry = memoryRegistry({
  blobs: place.blobs,
  tags: new Map([['1', root.digest]]),
  mediaTypes: new Map([[root.digest, OCI_MANIFEST]]),
});

async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method = '', url: path = '', headers, socket } = incoming;
  await arrive(socket);
  const answer = await registry({ method, path, headers });
  outgoing.writeHead(answer.status, answer.headers);
  const body = method === 'HEAD' ? Buffer.alloc(0) : answer.body;
  for (let at = 0; at < body.length && !outgoing.destroyed; at += portion) {
    const bytes = body.subarray(at, at + portion);
    await send(socket, bytes.length);
    if (!outgoing.destroyed && !outgoing.write(bytes)) {
      const gone = new AbortController();
      const leave = (): void => gone.abort();
      outgoing.once('close', leave);
      await once(outgoing, 'drain', { signal: gone.signal }).catch(() => {});
      outgoing.off('close', leave);
    }
  }
  outgoing.end();
}

const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`127.0.0.1:${(server.address() as AddressInfo).port}`);
