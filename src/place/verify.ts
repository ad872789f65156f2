// The one place where bytes become trusted: size and digest against the descriptor that named them.
import type { Readable } from 'node:stream';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { algorithmOf, createDigester, type Digest } from '../reference/digest.ts';

/** Checks a byte stream against a descriptor as it passes. */
export interface Verifier {
  /** Bytes seen so far. */
  readonly seen: number;
  /** Throws SIZE_MISMATCH as soon as there are more bytes than promised. */
  update(chunk: Uint8Array): void;
  /** Throws SIZE_MISMATCH or DIGEST_MISMATCH unless exactly the promised bytes were seen. */
  end(): void;
}

/** Throws SIZE_MISMATCH when there are more bytes than `descriptor` promises. */
export function checkRoom(descriptor: Descriptor, seen: number): void {
  if (seen <= descriptor.size) return;
  throw new OciError(
    'SIZE_MISMATCH',
    `${descriptor.digest}: more than the ${descriptor.size} bytes its descriptor promises`,
  );
}

/** Throws SIZE_MISMATCH when there are not all the bytes `descriptor` promises. */
export function checkEnd(descriptor: Descriptor, seen: number): void {
  if (seen === descriptor.size) return;
  throw new OciError(
    'SIZE_MISMATCH',
    `${descriptor.digest}: ${seen} bytes of the ${descriptor.size} its descriptor promises`,
  );
}

/** Throws DIGEST_MISMATCH when the bytes hash to another digest than `descriptor` has. */
export function checkDigest(descriptor: Descriptor, actual: Digest): void {
  if (actual === descriptor.digest) return;
  throw new OciError('DIGEST_MISMATCH', `${descriptor.digest}: the bytes have the digest ${actual}`, {
    hint: 'the registry, a proxy or the disk changed the content; try again, then report it to whoever runs the registry',
  });
}

/** A verifier for the content `descriptor` names. */
export function createVerifier(descriptor: Descriptor): Verifier {
  const digester = createDigester(algorithmOf(descriptor.digest));
  let seen = 0;
  return {
    get seen() {
      return seen;
    },
    update(chunk) {
      seen += chunk.length;
      checkRoom(descriptor, seen);
      digester.update(chunk);
    },
    end() {
      checkEnd(descriptor, seen);
      checkDigest(descriptor, digester.digest());
    },
  };
}

/** All bytes of a small document, verified. The caller has bounded `descriptor.size`. */
export async function readVerified(stream: Readable, descriptor: Descriptor): Promise<Buffer> {
  const verifier = createVerifier(descriptor);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      verifier.update(chunk);
      chunks.push(chunk);
    }
  } finally {
    stream.destroy();
  }
  verifier.end();
  return Buffer.concat(chunks);
}
