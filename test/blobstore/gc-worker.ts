// One of several processes at one store until stdin ends. `copy`: copies images, each of which must be whole once it has
// its name, and takes most names away again, so that layers lie unused for about as long as the grace period before
// they are wanted again. `sweep`: runs gc. Prints how often it did so, and how many blobs went.
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { isOciError } from '../../src/errors.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';

const [role, dir = '', worker = '', grace = ''] = process.argv.slice(2);
const LAYERS = 100;
let running = true;
process.stdin.on('end', () => (running = false)).resume();
let rounds = 0;
let went = 0;

/** False when it was told to begin again. */
async function copy(): Promise<boolean> {
  // A new store each time, which knows nothing of what the last one counted on.
  const store = await openStore(dir);
  const place = memoryPlace();
  const layers = [0, 1].map(() => Buffer.alloc(20_000, `layer ${Math.floor(Math.random() * LAYERS)}`));
  const name = parseReference(`example.com/worker${worker}:${rounds % 3}`);
  nameImage(place, name, addImage(place, { layers }));
  try {
    await createCopier(store).copy(place, name);
  } catch (error) {
    // A document that was there, and so old that gc took it before the name came: told, and nothing was named.
    if (isOciError(error, 'BLOB_NOT_FOUND')) return false;
    throw error;
  }
  for (const digest of place.blobs.keys()) {
    if (!existsSync(blobPath(storePaths(dir), digest))) throw new Error(`${digest} is missing under a name`);
  }
  if (rounds % 4 !== 0) await store.untag(name);
  return true;
}

async function sweep(): Promise<boolean> {
  const swept = await (await openStore(dir)).gc({ grace: Number(grace) });
  went += swept.blobs.count;
  return true;
}

while (running) {
  if (await (role === 'copy' ? copy() : sweep())) rounds += 1;
  await nextTurn();
}
process.stdout.write(JSON.stringify({ rounds, went }));
