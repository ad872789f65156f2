// The files an artifact carries, by the names it gives them. Names are hostile until they are looked at: they become paths.
import { OciError } from '../errors.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { TITLE, UNPACK } from './artifact.ts';
import type { Descriptor } from './descriptor.ts';
import type { ImageManifest } from './document.ts';

/** oras: the digest of a packed directory before it was compressed. */
const UNPACKED_DIGEST = 'io.deis.oras.content.digest';
const MAX_NAME = 255;

/** One layer with a name. */
export interface TitledFile {
  /** Relative, `/` between the parts; none of them is empty, `.` or `..`. */
  title: string;
  descriptor: Descriptor;
  /** A directory, packed as a tar whose names begin with the title; else a file. */
  isDirectory: boolean;
  /** Of the tar of a directory, when it is told. */
  diffId: Digest | undefined;
}

/**
 * The titled layers; `unnamed` counts the others. Throws LAYER_REFUSED for a title that leads out of a directory, and for
 * two that cannot both be there.
 */
export function titledFiles({ layers }: ImageManifest): { files: TitledFile[]; unnamed: number } {
  const files: TitledFile[] = [];
  const taken = new Map<string, Digest>();
  for (const descriptor of layers) {
    const title = descriptor.annotations?.[TITLE];
    if (title === undefined || title === '') continue;
    checkTitle(title, descriptor);
    // The same file named twice is one file.
    if (taken.get(title) === descriptor.digest) continue;
    const clash = [...taken.keys()].find(
      (other) => other === title || other.startsWith(`${title}/`) || title.startsWith(`${other}/`),
    );
    if (clash !== undefined)
      throw refused(descriptor, `${quote(title)} cannot be there beside ${quote(clash)}`);
    taken.set(title, descriptor.digest);
    const { [UNPACK]: unpack, [UNPACKED_DIGEST]: unpacked = '' } = descriptor.annotations ?? {};
    const diffId = isDigest(unpacked) ? unpacked : undefined;
    files.push({ title, descriptor, isDirectory: unpack === 'true', diffId });
  }
  const named = layers.filter(({ annotations }) => annotations?.[TITLE]).length;
  return { files, unnamed: layers.length - named };
}

function checkTitle(title: string, descriptor: Descriptor): void {
  const parts = title.split('/');
  const isBad = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > MAX_NAME;
  if (title.includes('\0') || parts.some(isBad)) {
    throw refused(descriptor, `${quote(title)} is no name of a file in a directory`);
  }
}

function refused({ digest }: Descriptor, why: string): OciError {
  return new OciError('LAYER_REFUSED', `${digest}: ${why}`, {
    hint: 'whoever made this artifact made a mistake, or wants to write elsewhere; nothing was written',
  });
}

function quote(title: string): string {
  return JSON.stringify(title.length > 200 ? `${title.slice(0, 200)}…` : title);
}
