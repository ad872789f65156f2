// Unpacks that go wrong at any moment, and many at once: the destination is whole or absent, and the store is clean.
// $OCITOOL_TROUBLE=10 tries ten times as many moments.
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { digestOf } from '../../src/reference/digest.ts';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { cli, startCli } from '../support/cli.ts';
import { snapshot } from '../support/disk-snapshot.ts';
import { layerAt, writeLayers } from '../support/layers.ts';
import { serveImage } from '../support/served-image.ts';
import { buildTar, directory, file } from '../support/tar-builder.ts';

const MORE = Number(process.env.OCITOOL_TROUBLE ?? 1);

let work: string;
let places: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'unpack-trouble-'));
  places = join(work, 'places');
  mkdirSync(places);
});
afterEach(() => removeTree(work));

/** Two layers of a few hundred files, as the tars they are. */
function tars(): Buffer[] {
  return ['lower', 'upper'].map((name, layer) =>
    buildTar([
      directory('etc/'),
      ...Array.from({ length: 300 }, (_, i) => file(`${name}/${i % 10}/${i}`, randomBytes(i * 30))),
      file('etc/both', name, { uid: layer }),
      ...(layer === 1 ? [file('lower/.wh.3')] : []),
    ]),
  );
}

function layersOf(blobs: Buffer[]): LayerSource[] {
  return writeLayers(work, blobs).map((layer, i) => ({ ...layer, diffId: digestOf(blobs[i] as Buffer) }));
}

test('ten unpacks of one image at once, into ten places', async () => {
  const layers = layersOf(tars());
  const roots = Array.from({ length: 10 }, (_, i) => join(places, String(i)));
  await Promise.all(roots.map((root) => unpack(layers, root)));
  const [first, ...others] = roots.map((root) => snapshot(root));
  expect(first?.size).toBeGreaterThan(300);
  for (const other of others) expect(other).toEqual(first);
  expect(readdirSync(places)).toHaveLength(10);
});

test('two unpacks into one place: one wins, the other is told', async () => {
  const layers = layersOf(tars());
  const root = join(places, 'rootfs');
  const outcomes = await Promise.allSettled([unpack(layers, root), unpack(layers, root)]);
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(failed).toHaveLength(1);
  expect(isOciError(failed[0]?.reason, 'DESTINATION_NOT_EMPTY')).toBe(true);
  expect(readdirSync(places)).toEqual(['rootfs']);
  expect(snapshot(root).get('etc/both')).toMatchObject({ kind: 'file' });
});

describe('a layer with wrong bytes', () => {
  test.each([
    ['gzip', (tar: Buffer) => gzipSync(tar)],
    ['zstd', (tar: Buffer) => zstdCompressSync(tar)],
    ['no compression', (tar: Buffer) => tar],
  ])(
    'in %s, changed or cut anywhere, leaves nothing',
    async (_, compress) => {
      const [tar] = tars() as [Buffer];
      const whole = compress(tar);
      const root = join(places, 'rootfs');
      for (let round = 0; round < 16 * MORE; round++) {
        const at = randomInt(whole.length);
        const bad = round % 2 === 0 ? whole.subarray(0, at) : Buffer.from(whole);
        if (round % 2 === 1) bad[at] = (bad[at] as number) ^ (1 << randomInt(8));
        const [written] = writeLayers(work, [bad]);
        const layer = { ...layerAt(written?.location.path ?? '', bad), diffId: digestOf(tar) };
        // Some bytes of gzip and zstd say nothing about the content: the time in the header, a checksum nobody needs.
        const outcome = await unpack([layer], root).then(
          () => 'unpacked',
          (error: unknown) => (isOciError(error) ? error.code : error),
        );
        expect([
          'unpacked',
          'LAYER_INVALID',
          'DIFF_ID_MISMATCH',
          'LAYER_REFUSED',
          'LIMIT_EXCEEDED',
        ]).toContain(outcome);
        expect(readdirSync(places), `byte ${at} of ${whole.length}, round ${round}`).toEqual(
          outcome === 'unpacked' ? ['rootfs'] : [],
        );
        if (outcome === 'unpacked') {
          expect(snapshot(root).size).toBeGreaterThan(300);
          removeTree(root);
        }
      }
    },
    120_000 * MORE,
  );
});

test.skipIf(process.geteuid?.() !== 0)(
  'a disk that is full at any moment',
  async () => {
    const layers = layersOf(tars());
    let full = 0;
    for (let round = 0; round < 12 * MORE; round++) {
      const disk = join(work, 'disk');
      mkdirSync(disk);
      // The tree takes 2.7 MB.
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${randomInt(64, 3500)}k`, 'tmpfs', disk]);
      try {
        const root = join(disk, 'rootfs');
        const outcome = await unpack(layers, root).then(
          () => 'unpacked',
          (error: unknown) => (isOciError(error) ? error.code : error),
        );
        expect(['unpacked', 'DISK_FULL']).toContain(outcome);
        if (outcome === 'DISK_FULL') full++;
        expect(readdirSync(disk)).toEqual(outcome === 'unpacked' ? ['rootfs'] : []);
      } finally {
        execFileSync('umount', [disk]);
        rmSync(disk, { recursive: true });
      }
    }
    expect(full).toBeGreaterThan(0);
  },
  120_000 * MORE,
);

test(
  'killed at any moment, from a registry and from the store',
  async () => {
    const served = await serveImage();
    try {
      const env = { OCITOOL_STORE: join(work, 'store') };
      const root = join(places, 'rootfs');
      const began = performance.now();
      await cli(['unpack', served.name, root], { env });
      const duration = performance.now() - began;
      const whole = snapshot(root);
      removeTree(root);
      for (let round = 0; round < 8 * MORE; round++) {
        if (round % 2 === 0) rmSync(env.OCITOOL_STORE, { recursive: true, force: true });
        const running = startCli(['unpack', served.name, root], { env });
        // Not waiting for anything: the moment is any.
        await Promise.race([pause(randomInt(Math.ceil(duration) + 50)), once(running.process, 'exit')]);
        running.process.kill('SIGKILL');
        await running.result;
        if (existsSync(root)) expect(snapshot(root)).toEqual(whole);
        removeTree(root);
        // Killed before that file is there, there is no store yet.
        if (existsSync(join(env.OCITOOL_STORE, 'oci-layout'))) await cli(['check'], { env });
      }
      await cli(['unpack', served.name, root], { env });
      expect(snapshot(root)).toEqual(whole);
    } finally {
      await served.close();
    }
  },
  120_000 * MORE,
);
