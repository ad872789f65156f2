// The OCI distribution-spec's own conformance suite against `serve`, with everything it knows switched on but
// sparse manifests: the store names no image whose blobs it lacks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { serveStore } from '../../src/serve/serve.ts';
import { scratch } from '../blobstore/fill.ts';
import { goTool } from '../support/go-tools.ts';

it('passes, and skips nothing', { timeout: 300_000 }, async ({ skip }) => {
  const suite = await goTool('conformance');
  if (suite === undefined) return skip();
  const dir = scratch();
  const store = await openStore(join(dir, 'store'));
  const server = await serveStore(store);
  try {
    const child = spawn(suite, [], {
      cwd: dir,
      timeout: 60_000,
      env: {
        OCI_REGISTRY: new URL(server.url).host,
        OCI_TLS: 'disabled',
        OCI_LOG: 'error',
        OCI_RESULTS_DIR: join(dir, 'results'),
        OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
        OCI_API_BLOBS_DIGEST_HEADER: 'true',
        OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
        OCI_API_MANIFESTS_TAG_PARAM: 'true',
      },
    });
    const [output, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    const lines = output.split('\n');
    expect(lines.filter((line) => /: (FAIL|Error|Skip)$/.test(line)).concat(errors.trim())).toEqual(['']);
    expect(lines.filter((line) => line.endsWith(': Pass')).length).toBeGreaterThan(100);
  } finally {
    await server.close();
  }
  expect(await store.check()).toMatchObject({ ok: true });
});
