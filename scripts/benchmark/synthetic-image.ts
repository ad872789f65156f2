// Images of any size at the price of writing them: a few file bodies, deflated once and repeated, behind headers of their
// own. Deterministic, and without holes.
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { createDigester, digestOf, hexOf } from '../../src/reference/digest.ts';
import { directory, file, memberBytes } from '../../test/support/tar-builder.ts';

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export interface Size {
  entries: number;
  bytes: number;
  /** Default 4. */
  layers?: number;
}

const LAYERS = 4;
const FILES_IN_FOLDER = 100;
const BODIES = 32;
const BATCH = 4 << 20;
const HEADER = 512;

/** Writes an OCI layout to `layout`: the entries and bytes (uncompressed) are shared out to gzip layers. */
export function writeSyntheticImage(layout: string, { entries, bytes, layers: count = LAYERS }: Size): void {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const bodies = makeBodies(Math.floor(bytes / entries));
  const layers = Array.from({ length: count }, (_, i) =>
    writeLayer(layout, `layer${i}`, Math.floor(entries / count), bodies),
  );
  const config = describe(layout, OCI_CONFIG, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  writeIndex(layout, { config, layers: layers.map(({ descriptor }) => descriptor) });
}

/** Makes the image of this manifest the layout's only one. */
export function writeIndex(layout: string, manifest: Manifest): void {
  const mediaType = OCI_MANIFEST;
  const entry = describe(layout, mediaType, { schemaVersion: 2, mediaType, ...manifest });
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

interface Body {
  content: Buffer;
  /** Content and padding; ends at a byte and needs nothing before it, so that it may stand anywhere in a stream. */
  deflated: Buffer;
}

/** Deflates to about two fifths, as the layers of real images do. */
function makeBodies(size: number): Body[] {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed >>> 16;
  };
  return Array.from({ length: BODIES }, () => {
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at++) content[at] = at % 64 < 24 ? random() & 255 : 97 + (at % 26);
    const padded = memberBytes(file('x', content)).subarray(HEADER);
    return { content, deflated: deflateRawSync(padded, { finishFlush: constants.Z_FULL_FLUSH }) };
  });
}

function writeLayer(layout: string, name: string, entries: number, bodies: Body[]) {
  const path = join(layout, name);
  const fd = openSync(path, 'wx');
  const [packed, plain] = [createDigester(), createDigester()];
  let [size, total, crc, pending] = [0, 0, 0, 0];
  let batch: Buffer[] = [];
  const write = (bytes: Buffer) => {
    batch.push(bytes);
    pending += bytes.length;
    if (pending >= BATCH) flush();
  };
  const flush = () => {
    const all = Buffer.concat(batch);
    writeSync(fd, all);
    packed.update(all);
    size += all.length;
    batch = [];
    pending = 0;
  };
  const add = (member: Buffer, deflated?: Buffer) => {
    plain.update(member);
    crc = crc32(member, crc);
    total += member.length;
    write(stored(member.subarray(0, deflated ? HEADER : member.length)));
    if (deflated) write(deflated);
  };
  write(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]));
  let folder = '';
  for (let i = 0; i < entries; i++) {
    if (i % FILES_IN_FOLDER === 0) {
      folder = `${name}/${i / FILES_IN_FOLDER}/`;
      add(memberBytes(directory(folder)));
    } else {
      const { content, deflated } = bodies[i % BODIES] as Body;
      add(memberBytes(file(`${folder}${i}`, content)), deflated);
    }
  }
  add(Buffer.alloc(2 * HEADER));
  const trailer = Buffer.alloc(10);
  trailer[0] = 3; // the last block, which is empty
  trailer.writeUInt32LE(crc, 2);
  trailer.writeUInt32LE(total % 2 ** 32, 6);
  write(trailer);
  flush();
  closeSync(fd);
  const digest = packed.digest();
  renameSync(path, join(layout, 'blobs/sha256', hexOf(digest)));
  return { diffId: plain.digest(), descriptor: { mediaType: OCI_LAYER_GZIP, digest, size } };
}

/** A deflate block that holds the bytes as they are. */
function stored(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return Buffer.concat([head, bytes]);
}

/** Writes a JSON document into the layout. */
export function describe(layout: string, mediaType: string, document: object): Descriptor {
  return writeBlob(layout, mediaType, Buffer.from(JSON.stringify(document)));
}

export function writeBlob(layout: string, mediaType: string, bytes: Buffer): Descriptor {
  const digest = digestOf(bytes);
  writeFileSync(join(layout, 'blobs/sha256', hexOf(digest)), bytes);
  return { mediaType, digest, size: bytes.length };
}
