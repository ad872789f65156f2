// The images the benchmark makes must be what it says they are, or its figures are of something else.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestOf } from '../../scripts/benchmark/ground.ts';
import { writePodmanImage } from '../../scripts/benchmark/podman-image.ts';
import * as synthetic from '../../scripts/benchmark/synthetic-image.ts';
import { comparison } from '../../scripts/benchmark/table.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP } from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { buildTar, file } from '../support/tar-builder.ts';
import { tool } from '../support/tools.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'benchmark-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The layers' tars, each checked against its digest and diff ID. */
function tarsOf(layout: string): Buffer[] {
  const bytesOf = ({ digest, size }: Descriptor) => {
    const bytes = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
    expect([digestOf(bytes), bytes.length]).toEqual([digest, size]);
    return bytes;
  };
  const { config, layers } = manifestOf(layout);
  const { rootfs } = JSON.parse(bytesOf(config).toString()) as { rootfs: { diff_ids: string[] } };
  const tars = layers.map((layer) => gunzipSync(bytesOf(layer)));
  expect(rootfs.diff_ids).toEqual(tars.map((tar) => digestOf(tar)));
  return tars;
}

const members = async (layout: string): Promise<string[]> => {
  const { layers } = manifestOf(layout);
  const lists = layers.map(({ digest }) =>
    tool('tar', '-tzf', join(layout, 'blobs', digest.replace(':', '/'))),
  );
  return (await Promise.all(lists)).flatMap((list) => list.trim().split('\n'));
};

describe('a synthetic image', () => {
  it('has the entries and bytes asked for, and digests that hold', async () => {
    const layout = join(folder, 'image');
    synthetic.writeSyntheticImage(layout, { entries: 1000, bytes: 2_000_000 });
    const names = await members(layout);
    expect(names).toHaveLength(1000);
    expect(new Set(names).size).toBe(1000);
    const headers = 1000 * 512;
    const bytes = tarsOf(layout).reduce((sum, tar) => sum + tar.length, 0) - headers;
    expect(bytes).toBeGreaterThan(1_900_000);
    expect(bytes).toBeLessThan(2_200_000);
  });

  it('is the same each time', () => {
    const digests = ['a', 'b'].map((name) => {
      synthetic.writeSyntheticImage(join(folder, name), { entries: 400, bytes: 400_000 });
      return manifestOf(join(folder, name)).layers.map(({ digest }) => digest);
    });
    expect(digests[0]).toEqual(digests[1]);
  });
});

describe('the image for podman', () => {
  it('has no path twice, and as many bytes as before', async () => {
    const layout = join(folder, 'image');
    synthetic.writeSyntheticImage(layout, { entries: 4, bytes: 400 });
    const tar = buildTar([file('twice', 'one'), file('once', 'x'), file('twice', 'two')]);
    synthetic.writeIndex(layout, {
      config: synthetic.describe(layout, OCI_CONFIG, { rootfs: { diff_ids: [digestOf(tar)] } }),
      layers: [synthetic.writeBlob(layout, OCI_LAYER_GZIP, gzipSync(tar))],
    });
    const renamed = writePodmanImage(layout, join(folder, 'podman'));
    expect(renamed).toEqual(['twice']);
    expect(await members(join(folder, 'podman'))).toEqual(['twice', 'once', 'twice~']);
    expect(tarsOf(join(folder, 'podman'))[0]).toHaveLength(tar.length);
  });
});

it('a table tells for each goal what our time is of the peer’s, and of the floor’s', () => {
  const one = { command: '', cpu: 1, peakRss: 1e6, runs: 7 };
  const { verdicts } = comparison('job', [
    { ...one, name: 'slow', role: 'peer', wall: 10, goal: 0.2 },
    { ...one, name: 'quick', role: 'peer', wall: 2.5, goal: 0.9 },
    { ...one, name: 'floor', role: 'floor', wall: 1 },
    { ...one, name: 'ours', role: 'ours', wall: 2 },
  ]);
  expect(
    verdicts.map(({ against, measured, reached, overFloor }) => ({ against, measured, reached, overFloor })),
  ).toEqual([
    { against: 'slow', measured: '0.20', reached: true, overFloor: 2 },
    { against: 'quick', measured: '0.80', reached: true, overFloor: 2 },
  ]);
});
