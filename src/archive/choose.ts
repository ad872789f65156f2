// Which image of a box is meant. Names in boxes are full references, short ones, or bare tags, as their tools pleased.
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { formatReference, parseReference, type Reference } from '../reference/reference.ts';
import type { ImageSelector } from './archive.ts';

/** An image of a box with every name it goes by, best first. */
export interface BoxImage {
  names: string[];
  descriptor: Descriptor;
}

/** Names shown when there is a choice. */
const SHOWN = 10;

/**
 * The image `selector` means: a name as the box writes it, the same name written otherwise (`alpine` for
 * `docker.io/library/alpine:latest`), or the tag of a full name. Throws IMAGE_NOT_FOUND, or USAGE when several fit.
 */
export function chooseImage(images: BoxImage[], selector: ImageSelector, path: string): Descriptor {
  const { tag, digest } = selector;
  if (images.length === 0) throw new OciError('IMAGE_NOT_FOUND', `${path}: no image in it`);
  if (digest !== undefined) {
    const image = images.find(({ descriptor }) => descriptor.digest === digest);
    if (image !== undefined) return image.descriptor;
    throw new OciError('IMAGE_NOT_FOUND', `${path}: no image ${digest} in it`, { hint: namesHint(images) });
  }
  const fitting = tag === undefined ? images : fit(images, tag);
  const [first] = fitting;
  if (first === undefined) {
    throw new OciError('IMAGE_NOT_FOUND', `${path}: no image ${JSON.stringify(tag)} in it`, {
      hint: namesHint(images),
    });
  }
  if (fitting.every(({ descriptor }) => descriptor.digest === first.descriptor.digest))
    return first.descriptor;
  throw new OciError(
    'USAGE',
    `${path}: ${fitting.length} images in it${tag === undefined ? '' : ` fit ${tag}`}`,
    {
      hint: namesHint(fitting),
    },
  );
}

/** The image a reference means: its name, or its tag where the box only has tags (`skopeo copy … oci:DIR:3.20`). */
export function chooseByReference(images: BoxImage[], reference: Reference, path: string): Descriptor {
  const { tag, digest } = reference;
  if (digest !== undefined) return chooseImage(images, { digest }, path);
  const full = formatReference(reference);
  const image =
    images.find(({ names }) => names.some((name) => canonical(name) === full)) ??
    images.find(
      ({ names }) => names.length > 0 && names.every(isBareTag) && names.some((name) => name === tag),
    );
  if (image !== undefined) return image.descriptor;
  throw new OciError('IMAGE_NOT_FOUND', `${path}: no image ${full} in it`, { hint: namesHint(images) });
}

function fit(images: BoxImage[], tag: string): BoxImage[] {
  const wanted = canonical(tag);
  const tests: ((name: string) => boolean)[] = [
    (name) => name === tag,
    (name) => wanted !== undefined && canonical(name) === wanted,
    (name) => !isBareTag(name) && name.endsWith(`:${tag}`),
  ];
  for (const test of tests) {
    const fitting = images.filter(({ names }) => names.some(test));
    if (fitting.length > 0) return fitting;
  }
  return [];
}

function isBareTag(name: string): boolean {
  return !/[:/]/.test(name);
}

function canonical(name: string): string | undefined {
  try {
    return formatReference(parseReference(name));
  } catch {
    return undefined;
  }
}

function namesHint(images: BoxImage[]): string {
  const names = images.map(({ names: [name], descriptor }) => name ?? `@${descriptor.digest}`);
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `it holds ${names.slice(0, SHOWN).join(', ')}${more}; choose with :NAME or @DIGEST after the path`;
}
