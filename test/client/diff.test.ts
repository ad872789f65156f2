// Two images of one base compared: what they share, what is their own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { diff } from '../../src/client/diff.ts';
import { type Manifest, readBlob, writeImagesSharingLayers } from '../support/images-sharing-layers.ts';

test('images that share their base', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-client-diff-'));
  const client = createClient({ store: join(dir, 'store') });
  try {
    const layout = join(dir, 'layout');
    const [first = '', second = ''] = writeImagesSharingLayers(layout, 2);
    const base = readBlob<Manifest>(layout, first).layers.slice(0, -1);
    const own = readBlob<Manifest>(layout, second).layers.at(-1);
    const shared = { layers: base.length, size: base.reduce((sum, { size }) => sum + size, 0) };
    const found = await diff(client, `oci:${layout}:v1`, `oci:${layout}:v2`);
    expect(found.shared).toEqual(shared);
    expect(found.before).toMatchObject({ name: `oci:${layout}:v1`, digest: first, layers: base.length + 1 });
    expect(found.after).toMatchObject({ digest: second, size: shared.size + (own?.size ?? 0) });
    expect(found.entries).toMatchObject([
      { path: '/etc/image', change: 'changed', what: ['content'], delta: 0 },
    ]);
  } finally {
    await client.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
