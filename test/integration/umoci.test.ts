// A second opinion on every file: what umoci unpacks from the good images of the corpora is what we unpack.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { corpus } from '../support/corpora.ts';
import { hasTools, skopeo, tool } from '../support/tools.ts';
import { treeSnapshot } from '../support/tree-snapshot.ts';

interface ImageCase {
  file: string;
  expect: { rootfs?: { platform: string; via: 'oci' | 'oci-archive' | 'docker-archive' } };
}

interface Wanted {
  title: string;
  /** As both tools write it, `oci-archive:FILE`. */
  source: string;
  platform: string;
}

const ALPINE = ['linux/386', 'linux/amd64', 'linux/arm/v6', 'linux/arm64', 'linux/ppc64le', 'linux/s390x'];

function wanted(): Wanted[] {
  const images = corpus('images');
  const real = corpus('images-real/alpine-3.7.3-6-platforms.oci.tar');
  const { cases } = images
    ? (JSON.parse(readFileSync(join(images, 'cases.json'), 'utf8')) as { cases: ImageCase[] })
    : { cases: [] };
  return [
    ...cases.flatMap(({ file, expect: { rootfs } }) =>
      images === undefined || rootfs === undefined
        ? []
        : [
            {
              title: file,
              source: `${transport(rootfs.via)}:${join(images, file)}`,
              platform: rootfs.platform,
            },
          ],
    ),
    ...(real === undefined
      ? []
      : ALPINE.map((platform) => ({ title: `alpine ${platform}`, source: `oci-archive:${real}`, platform }))),
  ];
}

function transport(via: string): string {
  return via === 'oci' ? 'oci-archive' : via;
}

const images = wanted();
const dir = await mkdtemp(join(tmpdir(), 'ocitool-umoci-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const able = images.length > 0 && hasTools('skopeo', 'umoci', 'getfattr');
const root = process.getuid?.() === 0;
if (!root) console.log('SKIPPED comparison with umoci: owners can be compared as root only');

describe.skipIf(!able || !root)('what umoci unpacks', () => {
  it.each(images)('$title', async ({ source, platform }) => {
    const work = await mkdtemp(join(dir, 'image-'));
    const [os = '', architecture = '', variant = ''] = platform.split('/');
    const choice = ['--override-os', os, '--override-arch', architecture];
    if (variant !== '') choice.push('--override-variant', variant);
    // gzip: umoci 0.4.7 does not know zstd.
    await skopeo(...choice, 'copy', '--dest-compress-format', 'gzip', source, `oci:${work}/layout:x`);
    await tool('umoci', 'unpack', '--image', `${work}/layout:x`, `${work}/bundle`);
    await cli(['unpack', '--platform', platform, source, `${work}/rootfs`], {
      env: { OCITOOL_STORE: join(work, 'store') },
    });
    const [ours, theirs] = [treeSnapshot(`${work}/rootfs`), treeSnapshot(`${work}/bundle/rootfs`)];
    // A root that no layer declares gets the epoch from umoci, a layer's time from us.
    if (theirs['.']?.mtime === 0n && ours['.']) ours['.'].mtime = 0n;
    expect(ours).toEqual(theirs);
    await rm(work, { recursive: true, force: true });
  });
});
