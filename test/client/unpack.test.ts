// What unpack decides before it has anything to unpack.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { unpack } from '../../src/client/unpack.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-unpack-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it.for([{}, { bundle: true }])(
  'a destination that is taken is told before a registry is asked: %o',
  async (options) => {
    const events: ProgressEvent[] = [];
    const client = createClient({ store: join(dir, 'store'), onProgress: (event) => events.push(event) });
    writeFileSync(join(dir, 'taken'), '');
    const unpacking = unpack(client, 'docker://127.0.0.1:1/nobody/there:1', dir, options);
    await expect(unpacking).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
    expect(events).toEqual([]);
    await client.close();
  },
);
