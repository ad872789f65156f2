// The images of a box by names that hold outside of it.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageSource, Listing } from '../place/place.ts';
import { parseReference, type Reference } from '../reference/reference.ts';

export interface BoxName {
  descriptor: Descriptor;
  /** Undefined when the box has only a tag for it, or nothing. */
  reference: Reference | undefined;
}

/** What the place lists for itself; nothing when it lists nothing. */
export async function boxNames(place: ImageSource & Partial<Listing>): Promise<BoxName[]> {
  const listed = (await place.list?.()) ?? [];
  return listed
    .filter(({ subject }) => subject === undefined)
    .map(({ name, descriptor }) => ({ descriptor, reference: asReference(name) }));
}

/** A bare `3.20` is a tag of who knows what, and no image called 3.20. */
function asReference(name: string | undefined): Reference | undefined {
  if (name === undefined || !/[:/]/.test(name)) return undefined;
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}
