// Mirrors that are down, lack things, break off or lie: the registry is asked, and nothing is lost by having tried.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { ClientOptions } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { unpack } from '../../src/client/unpack.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage } from '../support/image-builder.ts';
import {
  clientOf,
  events,
  home,
  image,
  layer,
  mirror,
  mirrored,
  name,
  origin,
  place,
  setImage,
  setUpMirrors,
  warnings,
} from '../support/mirror-setup.ts';
import { buildTar, file } from '../support/tar-builder.ts';

setUpMirrors();

describe('a mirror that fails gives way to the registry, and that is told once', () => {
  async function pullsAll(
    expected: RegExp,
    transport?: ClientOptions['transport'],
    address = mirror.address,
  ): Promise<void> {
    const client = clientOf(mirrored([address]), transport === undefined ? {} : { transport });
    const store = await client.store();
    await pull(client, name());
    for (const [known, raw] of place.blobs) {
      expect(await store.has({ mediaType: '', digest: known, size: raw.length })).toBe(true);
    }
    expect(warnings().filter((message) => message.startsWith('mirror '))).toEqual([
      expect.stringMatching(expected),
    ]);
    expect(events.filter(({ type }) => type === 'retrying')).toEqual([]);
  }

  it('down', async () => {
    // Not the port of a server that was closed: another test may have it by now.
    await pullsAll(/connection refused: going on without this mirror$/, undefined, '127.0.0.1:1');
  });

  it.each([500, 503, 429])('answers %i', async (status) => {
    mirror.intercept = (_, response) => {
      response.writeHead(status, { 'retry-after': '3600' }).end();
      return true;
    };
    await pullsAll(/going on without this mirror$/);
    expect(mirror.asked().filter((line) => line.includes('/manifests/'))).toHaveLength(1);
  });

  it('has no blobs', async () => {
    mirror.intercept = (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(404).end();
      return true;
    };
    await pullsAll(/does not have this blob: asking/);
  });

  it('lacks a large blob: it is asked once, not for each part', async () => {
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(404).end();
      return true;
    };
    const repository = await clientOf(mirrored([mirror.address])).repository(parseReference(name()));
    const descriptor = { mediaType: '', digest: digestOf(layer), size: layer.length };
    for (const offset of [0, 1 << 20, 2 << 20]) {
      const part = await buffer(await repository.fetch(descriptor, { offset, end: offset + (1 << 20) }));
      expect(part.equals(layer.subarray(offset, offset + (1 << 20)))).toBe(true);
    }
    const asked = (server: typeof mirror): number =>
      server.asked().filter((line) => line.includes(digestOf(layer))).length;
    expect([asked(mirror), asked(origin)]).toEqual([1, 3]);
    // One that fills itself may have it by now.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    mirror.intercept = () => false;
    try {
      await buffer(await repository.fetch(descriptor, { offset: 3 << 20 }));
    } finally {
      vi.useRealTimers();
    }
    expect([asked(mirror), asked(origin)]).toEqual([2, 3]);
  });

  it('answers with a page', async () => {
    mirror.intercept = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>');
      return true;
    };
    await pullsAll(/going on without this mirror$/);
  });

  it('says nothing', async () => {
    mirror.intercept = (request) => request.url?.includes('/v2/team') === true;
    const client = clientOf(mirrored([mirror.address]), {
      transport: { timeoutMs: 4000, retry: { retries: 0 } },
    });
    await pull(client, name());
    expect(warnings()).toEqual([expect.stringMatching(/timed out.*: going on without this mirror$/)]);
  });

  it('says nothing any more in the middle', async () => {
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 1 << 20));
      return true;
    };
    await pullsAll(/timed out.*: going on without this mirror$/, { timeoutMs: 4000, retry: { retries: 0 } });
  });

  it('breaks off in the middle: the registry is asked for the rest', async () => {
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 3 << 20), () => response.destroy());
      return true;
    };
    await pullsAll(/going on without this mirror$/);
    const [asked] = origin.requests.filter(({ url }) => url?.includes(digestOf(layer)));
    expect(Number(/^bytes=(\d+)-$/.exec(asked?.headers.range ?? '')?.[1])).toBeGreaterThan(0);
  });

  it.each(['a small blob', 'a large blob'])('other bytes of %s', async (which) => {
    const good =
      which === 'a large blob'
        ? layer
        : ([...place.blobs.values()].find(({ length }) => length === 300) as Buffer);
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(200) ^ 1, 200);
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(good)) !== true) return false;
      response.writeHead(200, { 'content-length': bad.length }).end(bad);
      return true;
    };
    await pullsAll(/the bytes have the digest .*: going on without this mirror$/);
  });

  it('other bytes of a layer that is unpacked while it comes', async () => {
    const tar = buildTar([file('good', randomBytes(6 << 20))]);
    const bad = Buffer.from(tar);
    bad.writeUInt8(bad.readUInt8(5 << 20) ^ 1, 5 << 20);
    setImage(addImage(place, { layers: [tar] }));
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(tar)) !== true) return false;
      response.writeHead(200, { 'content-length': bad.length }).end(bad);
      return true;
    };
    await unpack(clientOf(mirrored([mirror.address])), `docker://${name()}`, join(home, 'rootfs'));
    expect(readFileSync(join(home, 'rootfs', 'good')).equals(tar.subarray(512, 512 + (6 << 20)))).toBe(true);
    expect(warnings()).toEqual([expect.stringContaining(': going on without this mirror')]);
  });

  it('other bytes of a manifest', async () => {
    const other = addImage(place);
    mirror.intercept = (request, response) => {
      if (request.method !== 'GET' || request.url?.includes(image.digest) !== true) return false;
      response.writeHead(200, { 'content-type': image.mediaType }).end(place.blobs.get(other.digest));
      return true;
    };
    await pull(
      clientOf(mirrored([mirror.address], 'pull-from-mirror = "digest-only"')),
      `${origin.address}/team/app@${image.digest}`,
    );
    expect(warnings()).toEqual([expect.stringContaining(': going on without this mirror')]);
  });

  it('more bytes than there should be', async () => {
    mirror.intercept = (request, response) => {
      if (request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(200).end(Buffer.concat([layer, layer]));
      return true;
    };
    await pullsAll(/going on without this mirror$/);
  });

  it('and when the registry has it not either, its answer is the one', async () => {
    origin.tags.clear();
    mirror.tags.clear();
    await expect(pull(clientOf(mirrored([mirror.address])), name())).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: `${name()}: no such image`,
    });
  });
});
