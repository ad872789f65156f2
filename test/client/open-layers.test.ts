// An image that only the registry has is pulled to be read, and nothing that counts against a pull limit is asked twice.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openLayers } from '../../src/client/open-layers.ts';
import { serveImage } from '../support/served-image.ts';

test('each manifest is asked for once', async () => {
  const served = await serveImage();
  const slash = served.name.indexOf('/');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    if (url.includes('/manifests/')) asked.push(`${method} ${url.replace(/^.*\/manifests\//, '')}`);
    // The registry itself, one hop on.
    response.writeHead(307, { location: `http://${served.name.slice(0, slash)}${url}` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = createClient({ store: join(served.dir, 'store') });
  try {
    const { port } = server.address() as AddressInfo;
    const opened = await openLayers(client, `127.0.0.1:${port}${served.name.slice(slash)}`);
    expect(opened.from).toBe('registry');
    expect(opened.layers).toHaveLength(3);
    for (const { arrival } of opened.layers) await arrival?.arrived;
    await opened.close();
    expect((await (await client.store()).list()).map(({ name }) => name)).toHaveLength(1);
    const gets = asked.filter((line) => line.startsWith('GET'));
    expect(gets).toHaveLength(2);
    expect(new Set(gets).size).toBe(2);
  } finally {
    await client.close();
    await new Promise((resolve) => server.close(resolve));
    await served.close();
  }
});
