// `serve --proxy` when the registry behind it is gone, refuses or lies, and when a policy refuses.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { pullThrough } from '../../src/client/pull-through.ts';
import { OciError } from '../../src/errors.ts';
import { OCI_LAYER } from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { serveStore } from '../../src/serve/serve.ts';
import {
  amd64,
  closers,
  dir,
  events,
  index,
  isClean,
  layer,
  names,
  origin,
  proxy,
  puller,
  setUpProxy,
  whole,
} from '../support/proxy-setup.ts';

setUpProxy();

describe('when the registry is gone', () => {
  it('what is here is served, with a warning that clients show', async () => {
    const first = await proxy();
    await pull(puller(), `${first.address}/team/app:1`);
    await expect.poll(() => names(first.client)).toHaveLength(1);
    const { server, address } = await proxy();
    await origin.close();
    const response = await fetch(`${server.url}/v2/team/app/manifests/1`);
    expect(response.status).toBe(200);
    expect(response.headers.get('warning')).toBe(
      `299 - "${origin.address} does not answer; this may be out of date"`,
    );
    events.length = 0;
    await pull(puller(), `${address}/team/app:1`);
    expect(events).toContainEqual({
      type: 'warning',
      message: `${address}: ${origin.address} does not answer; this may be out of date`,
    });
    const tags = await fetch(`${server.url}/v2/team/app/tags/list`);
    expect(await tags.json()).toEqual({ name: 'team/app', tags: ['1'] });
    expect(tags.headers.get('warning')).toContain('does not answer');
  });

  it('what is not here cannot be had, and the reason is told', async () => {
    const { server } = await proxy();
    await origin.close();
    for (const path of ['manifests/1', `blobs/${digestOf(layer)}`, 'tags/list']) {
      const response = await fetch(`${server.url}/v2/team/app/${path}`);
      expect(response.status).toBe(502);
      expect(await response.text()).toContain('connection refused');
    }
  });

  it('in the middle of a blob: the client is cut off, and the bytes are kept', async () => {
    const { server, address, client } = await proxy();
    origin.intercept = (request, response) => {
      if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
      if (request.headers.range !== undefined) return false;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 2_000_000), () => response.destroy());
      return true;
    };
    await expect(whole(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`)).rejects.toThrow();
    await pull(puller(), `${address}/team/app:1`);
    const ranges = origin.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined);
    expect(ranges).toHaveLength(1);
    expect(await isClean(client)).toBe(true);
  });
});

describe('what the registry refuses', () => {
  it.each([
    [404, 404],
    [401, 403],
    [403, 403],
    [429, 429],
    [500, 502],
  ])('%i there is %i here', async (there, here) => {
    const { server } = await proxy();
    origin.intercept = (_, response) => {
      response.writeHead(there).end('{"errors":[{"code":"X","message":"no"}]}');
      return true;
    };
    for (const path of ['manifests/1', `manifests/${amd64.digest}`]) {
      const response = await fetch(`${server.url}/v2/team/app/${path}`);
      expect(response.status).toBe(here);
      expect(response.headers.get('www-authenticate')).toBeNull();
    }
  });

  it('a blob that is not there is not there', async () => {
    const { server } = await proxy();
    const response = await fetch(`${server.url}/v2/team/app/blobs/${digestOf('none')}`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ errors: [{ code: 'BLOB_UNKNOWN' }] });
  });

  it('other bytes than the digest says never end as a whole, nor in the store', async () => {
    const { server, client } = await proxy();
    const wrong = randomBytes(layer.length);
    origin.intercept = (request, response) => {
      if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong);
      return true;
    };
    await expect(whole(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`)).rejects.toThrow();
    const descriptor = { mediaType: OCI_LAYER, digest: digestOf(layer), size: layer.length };
    expect(await (await client.store()).has(descriptor)).toBe(false);
  });
});

describe('a policy', () => {
  it('refuses here what it refuses elsewhere', async () => {
    const policy = join(dir, 'policy.json');
    writeFileSync(policy, '{"default":[{"type":"reject"}]}');
    const { server } = await proxy({ policy });
    for (const reference of ['1', index.digest]) {
      const response = await fetch(`${server.url}/v2/team/app/manifests/${reference}`);
      expect(response.status).toBe(403);
    }
  });

  it('is asked about an index, not about its parts', async () => {
    const { client } = await proxy();
    const checking: Client = {
      ...client,
      async repository(name, access, use) {
        const unchecked = await client.repository(name, access, use);
        const resolve: typeof unchecked.resolve = (reference, options) => {
          if (reference.digest === undefined || reference.digest === index.digest)
            return unchecked.resolve(reference, options);
          throw new OciError('POLICY_REFUSED', 'not signed');
        };
        return { ...unchecked, unchecked, resolve };
      },
    };
    const upstream = await pullThrough(checking, origin.address);
    closers.push(() => upstream.close());
    const server = await serveStore(await client.store(), { upstream });
    closers.push(() => server.close());
    const alone = await fetch(`${server.url}/v2/team/app/manifests/${amd64.digest}`);
    expect(alone.status).toBe(403);
    const [pulled] = await pull(puller(), `${new URL(server.url).host}/team/app:1`);
    expect(pulled?.root.digest).toBe(index.digest);
  });
});

it('closing stops what is on its way', async () => {
  const { server, upstream } = await proxy();
  origin.intercept = (request, response) => {
    if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 1_000_000));
    return true;
  };
  const response = await fetch(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`);
  const body = expect(response.arrayBuffer()).rejects.toThrow();
  await upstream.close();
  await body;
});
