// `pull --unpack`: the image is in the store and its files are in the directory, in one pass.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli, startCli } from '../support/cli.ts';
import { type ServedImage, serveImage } from '../support/served-image.ts';

let served: ServedImage;
let env: Record<string, string>;

beforeAll(async () => {
  served = await serveImage();
  env = { OCITOOL_STORE: join(served.dir, 'store') };
});
afterAll(() => served.close());

test('brings the image and writes its files', async () => {
  const dir = join(served.dir, 'rootfs');
  expect(await cli(['pull', '--unpack', dir, served.name], { env })).toMatch(/^\S+rootfs: .*3 layers/);
  expect(existsSync(join(dir, 'etc/alpine-release'))).toBe(true);
  expect(await cli(['images'], { env })).toContain('2.1-aspnetcore');
  await cli(['check'], { env });
});

test('takes one image', async () => {
  const running = startCli(['pull', '--unpack', join(served.dir, 'two'), served.name, served.name], { env });
  const { code, stderr } = await running.result;
  expect(code).toBe(2);
  expect(stderr).toContain('--unpack takes one image');
});
