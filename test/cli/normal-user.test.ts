// As a normal user: what can be unpacked is, and what cannot is said once, with a count.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, directory, file } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

const NOBODY = '65534';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('SKIPPED a normal user: these tests must start as root to become one');

test.skipIf(!isRoot || !hasTools('setpriv'))('devices and owners are counted, files are there', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-user-'));
  try {
    const layer = buildTar([
      file('data', 'hello', { uid: 1000, gid: 1000 }),
      { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 },
      { name: 'zero', type: '3', major: 1, minor: 5, mode: 0o666 },
      { name: 'pipe', type: '6' },
      directory('shut', { mode: 0o500 }),
      file('shut/inside', 'x'),
    ]);
    const place = memoryPlace();
    const name = parseReference('example.com/app:1');
    nameImage(place, name, addImage(place, { layers: [layer] }));
    const store = await openStore(join(dir, 'store'));
    await createCopier(store).copy(place, name);
    // The user gets a store of its own, and a place to write.
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, join(dir, 'store')]);
    mkdirSync(join(dir, 'out'));
    writeFileSync(join(dir, 'config'), '');
    for (const path of [dir, join(dir, 'out')]) chmodSync(path, 0o777);

    const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
    const { status, stdout, stderr } = spawnSync(
      'setpriv',
      [
        '--reuid',
        NOBODY,
        '--regid',
        NOBODY,
        '--clear-groups',
        process.execPath,
        bin,
        'unpack',
        'example.com/app:1',
        join(dir, 'out/rootfs'),
        '--json',
        '--rootless',
        'off',
      ],
      { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: dir, OCITOOL_STORE: join(dir, 'store') } },
    );
    expect(stderr).toMatch(/warning: /);
    expect(status).toBe(0);
    const { warnings } = JSON.parse(stdout) as { warnings: string[] };
    expect(warnings.some((line) => line.startsWith('2 device'))).toBe(true);
    expect(warnings.some((line) => /owned by you/.test(line))).toBe(true);
    expect(lstatSync(join(dir, 'out/rootfs/data')).uid).toBe(Number(NOBODY));
    expect(lstatSync(join(dir, 'out/rootfs/pipe')).isFIFO()).toBe(true);
    expect(lstatSync(join(dir, 'out/rootfs/shut')).mode & 0o777).toBe(0o500);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.skipIf(!isRoot || !hasTools('setpriv'))('an id without a name may run it', () => {
  const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
  const args = ['--reuid', '4444', '--regid', '4444', '--clear-groups', process.execPath, bin, 'version'];
  const { status, stderr } = spawnSync('setpriv', args, {
    encoding: 'utf8',
    // As docker starts such an id.
    env: { PATH: process.env.PATH, HOME: '/' },
  });
  expect([status, stderr]).toEqual([0, '']);
});
