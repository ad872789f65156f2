// Writes a small blob whose bytes are all at hand to any place.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageTarget } from './place.ts';

/** True when it was written, false when it was there already. Throws SIZE_MISMATCH, DIGEST_MISMATCH and what the place throws. */
export async function writeSmall(target: ImageTarget, descriptor: Descriptor, raw: Buffer): Promise<boolean> {
  const ingest = await target.ingest(descriptor);
  if (ingest === undefined) return false;
  try {
    if (ingest.offset > 0) await ingest.restart();
    await ingest.write(raw);
  } catch (error) {
    await ingest.abort();
    throw error;
  }
  await ingest.commit();
  return true;
}
