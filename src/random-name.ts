// Names that nobody else takes: of temporary files and containers. From the kernel, for node:crypto takes 6 ms to
// set up, which every command would wait for. No secret is made of them.
import { closeSync, openSync, readSync } from 'node:fs';

/** `bytes` random bytes, in hexadecimal digits. */
export function randomName(bytes: number): string {
  return Buffer.from(randomBytes(bytes)).toString('hex');
}

/** So many, in memory of their own. */
export function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  const random = new Uint8Array(count);
  const source = openSync('/dev/urandom', 'r');
  try {
    readSync(source, random);
  } finally {
    closeSync(source);
  }
  return random;
}
