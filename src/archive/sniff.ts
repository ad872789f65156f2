// How bytes are compressed, told by how they begin: names and media types lie.

export type Compression = 'gzip' | 'zstd' | 'xz' | 'bzip2';

const MAGIC: [Compression, readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** What the first six bytes say; undefined for anything else. */
export function sniff(start: Uint8Array): Compression | undefined {
  return MAGIC.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0];
}
