// The program in the README, run as it stands: only the image's name and the package are replaced.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServedImage, serveImage } from '../support/served-image.ts';

const root = join(import.meta.dirname, '../..');
let served: ServedImage;
beforeAll(async () => {
  served = await serveImage();
});
afterAll(() => served.close());

test('pull, layers and unpack in under ten lines', async () => {
  const snippet = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
  expect(snippet.trimEnd().split('\n').length).toBeLessThan(10);
  const program = snippet
    .replaceAll('alpine:3.20', served.name)
    .replace("'ocitool'", JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href));
  writeFileSync(join(served.dir, 'program.mjs'), program);
  const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], { cwd: served.dir });
  expect(stdout.trimEnd().split('\n')).toHaveLength(3);
  expect(stdout).toMatch(/^sha256:[a-f0-9]{64} \d+ ADD file:/);
  expect(existsSync(join(served.dir, 'rootfs/usr/share/dotnet'))).toBe(true);
  expect(execFileSync('ls', [join(served.dir, 'store')], { encoding: 'utf8' })).toContain('oci-layout');
});
