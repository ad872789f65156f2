// gzip and zstd for archives we write: the same input gives the same bytes, whatever the moment and the machine's name.
import type { Transform } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Compression } from '../manifest/media-types.ts';

const CHUNK = 256 * 1024;

/**
 * A compressor. zlib's gzip header carries no name and no time; zstd's frame gets a checksum, as zstd(1) writes it.
 * zstd's own threads stay off: through Node's stream they gave no output.
 */
export function createCompressor(compression: Exclude<Compression, 'none'>): Transform {
  if (compression === 'gzip') return createGzip({ chunkSize: CHUNK });
  return createZstdCompress({ chunkSize: CHUNK, params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}
