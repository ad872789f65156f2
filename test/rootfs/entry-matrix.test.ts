// Each kind of entry over each other kind: in one layer and across two, below a real parent and below one reached
// through a symlink, with a whiteout or an opaque marker before or after it. The outcome must be the model's, and
// umoci's where umoci is right.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { type Seen, snapshot } from '../support/disk-snapshot.ts';
import { engineOutcome, modelOutcome } from '../support/engine.ts';
import { writeLayers } from '../support/layers.ts';
import { memoryFolder } from '../support/memory-folder.ts';
import { buildTar, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';
import { hasTools, tool } from '../support/tools.ts';

const isRoot = process.geteuid?.() === 0;

/** By kind: the entries that put one at `at`. `top` is the case's own folder, where `other` (file) and `dir/` are. */
const KINDS: Record<string, (at: string, top: string) => Member[]> = {
  file: (at) => [file(at, 'content', { mode: 0o4750, uid: 3, mtime: 111 })],
  'empty file': (at) => [file(at, '', { mtime: 222 })],
  directory: (at) => [directory(`${at}/`, { mode: 0o700, gid: 4, mtime: 333 })],
  'directory with a file': (at) => [
    directory(`${at}/`, { mode: 0o2755, mtime: 444 }),
    file(`${at}/inside`, 'i'),
  ],
  'implied directory': (at) => [file(`${at}/implied`, 'i', { mtime: 555 })],
  'symlink to a file': (at, top) => [symlink(at, `/${top}/other`, { uid: 5, mtime: 666 })],
  'symlink to a directory': (at) => [symlink(at, 'dir', { mtime: 777 })],
  'dangling symlink': (at) => [symlink(at, 'nowhere')],
  'symlink out of the root': (at, top) => [symlink(at, `../../../../../../${top}/etc/passwd`)],
  'symlink to itself': (at) => [symlink(at, at.slice(at.lastIndexOf('/') + 1))],
  'hard link': (at, top) => [hardlink(at, `${top}/other`)],
  fifo: (at) => [{ name: at, type: '6', mode: 0o600, mtime: 888 }],
  ...(isRoot && {
    'char device': (at: string) => [{ name: at, type: '3', major: 1, minor: 3, mode: 0o666, mtime: 999 }],
    'block device': (at: string) => [{ name: at, type: '4', major: 7, minor: 200, uid: 6 }],
  }),
  whiteout: (at) => [file(whiteoutOf(at))],
  opaque: (at) => [file(`${at}/.wh..wh..opq`)],
};

/** What stands around the upper entry. */
const MARKERS: Record<string, (entries: Member[], at: string) => Member[]> = {
  'no marker': (entries) => entries,
  'a whiteout before': (entries, at) => [file(whiteoutOf(at)), ...entries],
  'a whiteout after': (entries, at) => [...entries, file(whiteoutOf(at))],
  'an opaque marker before': (entries, at) => [file(opaqueBeside(at)), ...entries],
  'an opaque marker after': (entries, at) => [...entries, file(opaqueBeside(at))],
};

function whiteoutOf(at: string): string {
  const slash = at.lastIndexOf('/');
  return `${at.slice(0, slash)}/.wh.${at.slice(slash + 1)}`;
}

function opaqueBeside(at: string): string {
  return `${at.slice(0, at.lastIndexOf('/'))}/.wh..wh..opq`;
}

interface Case {
  title: string;
  /** The folder that everything of the case is in. */
  top: string;
  layers: [Member[], Member[], Member[]];
}

function allCases(): Case[] {
  const cases: Case[] = [];
  for (const [lower, makeLower] of Object.entries(KINDS))
    for (const [upper, makeUpper] of Object.entries(KINDS))
      for (const [marker, mark] of Object.entries(MARKERS))
        for (const through of ['real', 'link'])
          for (const where of ['in the same layer', 'across layers']) {
            const top = `c${cases.length}`;
            const at = `${top}/${through}/x`;
            const base = [
              directory(`${top}/`),
              file(`${top}/other`, 'other', { mode: 0o604, mtime: 1234 }),
              directory(`${top}/real/`, { mtime: 4321 }),
              directory(`${top}/real/dir/`),
              file(`${top}/real/beside`, 'beside'),
              symlink(`${top}/link`, through === 'link' ? `/${top}/real` : 'real'),
            ];
            const below = makeLower(at, top);
            const above = mark(makeUpper(at, top), at);
            cases.push({
              title: `${upper} over ${lower}, ${where}, through a ${through} parent, ${marker}`,
              top,
              layers: where === 'across layers' ? [base, below, above] : [base, [...below, ...above], []],
            });
          }
  return cases;
}

const cases = allCases();
const outcomes = new Map(cases.map(({ top, layers }) => [top, modelOutcome(layers)]));
const refused = cases.filter(({ top }) => outcomes.get(top) === undefined);
const accepted = cases.filter(({ top }) => outcomes.get(top) !== undefined);

let folder: string;
beforeAll(() => {
  folder = memoryFolder('entry-matrix-');
});
afterAll(() => removeTree(folder));

/** Cases in one stack: they share nothing, so what they come to is the sum. */
function inOneStack(cases: readonly Case[]): Member[][] {
  return [0, 1, 2].map((layer) => cases.flatMap(({ layers }) => layers[layer] as Member[]));
}

/** The part of a tree that is the case's. */
function partsOf(tree: Map<string, Seen>): Map<string, Record<string, Seen>> {
  const parts = new Map<string, Record<string, Seen>>();
  for (const [path, seen] of tree) {
    const top = path.split('/', 1)[0] as string;
    const part = parts.get(top) ?? {};
    part[path] = seen;
    parts.set(top, part);
  }
  return parts;
}

describe('each kind of entry over each other kind', () => {
  it('is refused where the model refuses it', () => {
    expect(refused.length).toBeGreaterThan(100);
    const letThrough = refused.filter(({ layers }) => engineOutcome(folder, layers) !== undefined);
    expect(letThrough.map(({ title }) => title)).toEqual([]);
  }, 120_000);

  it('is what the model says, all in one image', async () => {
    expect(accepted.length).toBeGreaterThan(2000);
    const root = join(folder, 'all');
    await unpack(writeLayers(folder, inOneStack(accepted)), root);
    const parts = partsOf(snapshot(root));
    const wrong = accepted.filter(({ top }) => !isDeepStrictEqual(parts.get(top), outcomes.get(top)));
    for (const { title, top } of wrong.slice(0, 5)) expect(parts.get(top), title).toEqual(outcomes.get(top));
    expect(wrong).toEqual([]);
  }, 120_000);
});

/** What umoci 0.4.7 gives up on: a file of a lower layer where this one needs a directory. An overlay mount shows the directory. */
const UMOCI_FAILS =
  /^(implied directory|opaque) over (file|empty file|hard link|fifo|char device|block device|symlink to a file)/;

/** Where its outcome is another, and why ours stays. */
const UMOCI_DIFFERS: Array<[why: string, titles: RegExp]> = [
  [
    'makes no directory for an opaque marker alone; as an empty upper directory it is there',
    /^opaque over |^whiteout over opaque, in the same layer/,
  ],
  [
    'takes the lower owner and mode for a directory that was whited out and is implied again',
    /^implied directory over directory.* across layers.* after$/,
  ],
];

/** Without directories' times: umoci touches them when it removes from them, and sets none on those it made itself. */
function withoutTimes(part: Record<string, Seen> | undefined): Record<string, Seen> {
  return Object.fromEntries(
    Object.entries(part ?? {}).map(([path, seen]) => [
      path,
      seen.kind === 'directory' ? { ...seen, mtime: 0n } : seen,
    ]),
  );
}

describe.skipIf(!isRoot || !hasTools('umoci'))('each kind of entry over each other kind', () => {
  it("is what umoci makes of it, but for umoci's known mistakes", async () => {
    const layout = join(folder, 'layout');
    const able = accepted.filter(({ title }) => !UMOCI_FAILS.test(title));
    writeLayout(layout, inOneStack(able));
    const bundle = join(folder, 'bundle');
    await tool('umoci', 'unpack', '--image', `${layout}:x`, bundle);
    const parts = partsOf(snapshot(join(bundle, 'rootfs')));
    const different = able.filter(
      ({ top }) => !isDeepStrictEqual(withoutTimes(parts.get(top)), withoutTimes(outcomes.get(top))),
    );
    const unexplained = different.filter(
      ({ title }) => !UMOCI_DIFFERS.some(([, titles]) => titles.test(title)),
    );
    expect(unexplained.map(({ title }) => title)).toEqual([]);
    for (const [why, titles] of UMOCI_DIFFERS) {
      expect(
        different.some(({ title }) => titles.test(title)),
        `umoci now agrees: it ${why}`,
      ).toBe(true);
    }
  }, 120_000);
});

/** An OCI layout with the image `x` of these layers. */
function writeLayout(folder: string, layers: Member[][]): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const put = (
    mediaType: string,
    content: Buffer | object,
  ): { mediaType: string; digest: string; size: number } => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    writeFileSync(join(folder, 'blobs', digest.replace(':', '/')), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const tars = layers.map(buildTar);
  const config = put(OCI_CONFIG, {
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
  });
  const blobs = tars.map((tar) => put(OCI_LAYER, tar));
  const manifest = put(OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: blobs });
  const annotations = { 'org.opencontainers.image.ref.name': 'x' };
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
}
