// A file far larger than memory should hold, attached to an image at our own registry and pulled back: nothing holds it.
// 300 MB, or as many bytes as $OCITOOL_ATTACH_BYTES says.
import {
  closeSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { pullFiles } from '../../src/client/artifact-pull.ts';
import { attach } from '../../src/client/attach.ts';
import { createClient } from '../../src/client/client.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { serveStore } from '../../src/serve/serve.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';

const BYTES = Number(process.env.OCITOOL_ATTACH_BYTES ?? 300e6);
/** What client and registry may take together beside what this process has already. */
const MEMORY = 200e6;
const MARK = Buffer.from('not only zeros');

test(`${BYTES / 1e6} MB come and go in less than ${MEMORY / 1e6} MB of memory`, {
  timeout: 60_000 + BYTES / 5e3,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-large-'));
  const server = await serveStore(await openStore(join(dir, 'served')));
  const client = createClient({ store: join(dir, 'store') });
  try {
    const path = join(dir, 'disk.img');
    const place = memoryPlace();
    const image = `${new URL(server.url).host}/team/app`;
    const name = parseReference(`${image}:1`);
    nameImage(place, name, addImage(place));
    await createCopier(await client.repository(name, 'push')).copy(place, name);
    writeMark(path);
    const before = process.resourceUsage().maxRSS;
    const attached = await attach(client, `${image}:1`, [path], { artifactType: 'application/x.disk' });
    rmSync(path);
    await pullFiles(client, `${image}@${attached.root.digest}`, join(dir, 'out'));
    expect((process.resourceUsage().maxRSS - before) * 1024).toBeLessThan(MEMORY);
    expect(statSync(join(dir, 'out/disk.img')).size).toBe(BYTES);
    expect(readMark(join(dir, 'out/disk.img'))).toEqual(MARK);
  } finally {
    await client.close();
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

/** Zeros that take no room on the disk, and the mark in the middle. */
function writeMark(path: string): void {
  const fd = openSync(path, 'w');
  writeSync(fd, MARK, 0, MARK.length, BYTES / 2);
  closeSync(fd);
  truncateSync(path, BYTES);
}

function readMark(path: string): Buffer {
  const fd = openSync(path, 'r');
  const mark = Buffer.alloc(MARK.length);
  readSync(fd, mark, 0, mark.length, BYTES / 2);
  closeSync(fd);
  return mark;
}
