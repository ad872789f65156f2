// A store of 10,000 images: what listing them takes, and whether one more is pulled as fast as into an empty store.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Ground, sh } from './ground.ts';
import { writeManyImages } from './many-images.ts';
import { type Measured, measure } from './measure.ts';
import type { Row } from './rows.ts';
import { writeSyntheticImage } from './synthetic-image.ts';
import { listing, type Outcome } from './table.ts';

const IMAGES = 10_000;
/** Few milliseconds are looked for. */
const RUNS = 15;
/** Ms that `images` may take more than `node -e 0`, and what a pull may take of one into an empty store. */
const LISTING_GOAL = 300;
const PULL_GOAL = 1.1;

export const many: Row = (ground, runs) => {
  const { at, ocitool, scratch } = ground;
  const store = at('many');
  const blobs = writeManyImages(join(scratch, 'many'), IMAGES);
  const one = pushSmall(ground);
  // The first write takes the names over from index.json.
  sh(`${ocitool} pull --quiet --store ${store} ${one.name}`);
  const images = `${ocitool} images --store ${store}`;
  const pullOne = `${ocitool} pull --progress none --store`;
  const measured = measure(
    [
      { name: '`node -e 0`', role: 'floor', command: 'node -e 0' },
      {
        name: '`images`, the blobs as at the last listing',
        role: 'ours',
        // A directory counts as unchanged when its last change is seconds ago.
        prepare: `sleep 3; ${images} >/dev/null`,
        command: images,
      },
      {
        name: '`images`, a blob has come since',
        role: 'ours',
        prepare: `touch ${store}/blobs/sha256/new; rm ${store}/blobs/sha256/new`,
        command: images,
      },
      {
        name: '`pull` into an empty store',
        role: 'ours',
        prepare: `rm -rf ${at('b')}`,
        command: `${pullOne} ${at('b')} ${one.name}`,
      },
      {
        name: '`pull` of one more',
        role: 'ours',
        prepare: `cd ${store}/blobs/sha256 && rm -f ${one.blobs.join(' ')}`,
        command: `${pullOne} ${store} ${one.name}`,
      },
    ],
    runs === 1 ? 1 : Math.max(RUNS, runs),
    scratch,
  );
  sh(`rm -rf ${store} ${at('b')}`);
  const title = `A store of ${IMAGES.toLocaleString('en')} images, ${blobs.toLocaleString('en')} blobs`;
  return outcome(title, measured as [Measured, Measured, Measured, Measured, Measured]);
};

function outcome(title: string, measured: [Measured, Measured, Measured, Measured, Measured]): Outcome {
  const [node, again, , empty, full] = measured;
  const added = (again.wall - node.wall) * 1000;
  const ratio = full.wall / empty.wall;
  return {
    text: listing(title, measured),
    verdicts: [
      {
        job: '`images` of 10,000 images',
        against: '`node -e 0`',
        measured: `${added.toFixed(0)} ms more`,
        toReach: `≤ ${LISTING_GOAL} ms`,
        reached: added <= LISTING_GOAL,
      },
      {
        job: '`pull` of one image more',
        against: 'into an empty store',
        measured: ratio.toFixed(2),
        toReach: `≤ ${PULL_GOAL}`,
        reached: ratio <= PULL_GOAL,
      },
    ],
  };
}

/** An image of 100 kB, in the registry. */
function pushSmall(ground: Ground): { name: string; blobs: string[] } {
  const layout = join(ground.scratch, 'small');
  const name = `${ground.address}/bench/small:1`;
  writeSyntheticImage(layout, { entries: 40, bytes: 200_000 });
  ground.push(layout, name);
  return { name, blobs: readdirSync(join(layout, 'blobs/sha256')) };
}
