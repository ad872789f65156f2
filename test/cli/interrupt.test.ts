// Ctrl-C at some moment of the work: exit code 130, a partial blob that the next pull takes up, and nothing else.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli, startCli } from '../support/cli.ts';
import { type ServedImage, serveImage } from '../support/served-image.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';

let served: ServedImage;
let proxy: SlowProxy;
let name: string;

beforeAll(async () => {
  served = await serveImage();
  const slash = served.name.indexOf('/');
  proxy = await startSlowProxy(served.name.slice(0, slash), 500_000);
  name = `${proxy.address}${served.name.slice(slash)}`;
});
afterAll(async () => {
  await proxy.close();
  await served.close();
});

test('while a blob comes in', async () => {
  const env = { OCITOOL_STORE: join(served.dir, 'pulled') };
  const running = startCli(['pull', name], { env });
  await proxy.after(100_000);
  running.process.kill('SIGINT');
  const { code, stderr } = await running.result;
  expect(stderr).toMatch(/error: interrupted\nhint: what was fetched is kept/);
  expect(code).toBe(130);
  expect(await cli(['images'], { env })).not.toContain('dotnet');

  const resumedBefore = proxy.resumed;
  await cli(['pull', name], { env });
  expect(proxy.resumed).toBeGreaterThan(resumedBefore);
  await cli(['check'], { env });
});

test('while an image is unpacked that must be pulled first: no destination, no folder beside it', async () => {
  const env = { OCITOOL_STORE: join(served.dir, 'unpacked') };
  const place = join(served.dir, 'place');
  const running = startCli(['unpack', name, join(place, 'rootfs')], { env });
  await proxy.after(100_000);
  running.process.kill('SIGTERM');
  expect((await running.result).code).toBe(130);
  expect(existsSync(place) ? readdirSync(place) : []).toEqual([]);
});
