// One of many processes that pull into the same store at once: writes images that share a layer, and names them.

import { openStore } from '../../src/blobstore/store.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';

const [dir = '', worker = '', count = ''] = process.argv.slice(2);
const store = await openStore(dir);
const shared = Buffer.alloc(300_000, 'shared');
for (let i = 0; i < Number(count); i += 1) {
  const place = memoryPlace();
  const image = addImage(place, { layers: [shared, Buffer.from(`${worker}-${i}`)] });
  for (const [digest, bytes] of place.blobs) {
    const ingest = await store.ingest({ mediaType: 'application/octet-stream', digest, size: bytes.length });
    if (ingest === undefined) continue;
    for (let at = ingest.offset; at < bytes.length; at += 7000)
      await ingest.write(bytes.subarray(at, at + 7000));
    await ingest.commit();
  }
  await store.tag(image, parseReference(`example.com/worker${worker}:${i}`));
  await store.tag(image, parseReference('example.com/contested:latest'));
}
