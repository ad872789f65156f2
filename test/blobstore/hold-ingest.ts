// Another process with a blob half written: takes what comes on stdin, says so, and then waits to be killed.
import { openStore } from '../../src/blobstore/store.ts';
import { parseDigest } from '../../src/reference/digest.ts';

const [dir = '', digest = '', size = ''] = process.argv.slice(2);
const store = await openStore(dir);
const ingest = await store.ingest({
  mediaType: 'application/octet-stream',
  digest: parseDigest(digest),
  size: Number(size),
});
let held = 0;
process.stdin.on('data', (chunk: Buffer) => {
  void ingest?.write(chunk);
  held += chunk.length;
  if (held === 30_000) process.stdout.write('held\n');
});
