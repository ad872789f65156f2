// A Node without node:ffi (a build without it, or --no-experimental-ffi): tools stand in for the system calls, and
// where they are missing too, what is left out is said.
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
import { buildTar, file } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';
import { treeSnapshot } from '../support/tree-snapshot.ts';

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log('SKIPPED devices without node:ffi: making them needs root');
const name = 'nüll';

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-no-ffi-'));
  const place = memoryPlace();
  const layer = buildTar([
    file('noted', 'x', { mtime: 1_500_000_000, pax: { 'SCHILY.xattr.user.note': 'y' } }),
    file('exact', 'x', { pax: { mtime: '1500000000.123456789' } }),
    { name, type: '3', major: 1, minor: 300, mode: 0o640 },
    { name: 'pipe', type: '6', mode: 0o600 },
  ]);
  nameImage(place, parseReference('example.com/app:1'), addImage(place, { layers: [layer] }));
  await createCopier(await openStore(join(dir, 'store'))).copy(place, parseReference('example.com/app:1'));
  mkdirSync(join(dir, 'no-tools'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function unpack(into: string, path = process.env.PATH ?? ''): string {
  const bin = join(import.meta.dirname, '../../bin/ocitool.cjs');
  const args = ['--no-experimental-ffi', bin, 'unpack', 'example.com/app:1', join(dir, into)];
  const env = { PATH: path, HOME: dir, OCITOOL_STORE: join(dir, 'store') };
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return stderr;
}

describe.skipIf(!isRoot || !hasTools('mknod', 'setfattr', 'getfattr'))('without node:ffi', () => {
  it('has mknod and setfattr do it', () => {
    expect(unpack('with')).not.toMatch(/left out/);
    const seen = treeSnapshot(join(dir, 'with'));
    expect(seen.noted?.xattrs).toEqual(['user.note=0x79']);
    const device = seen[Buffer.from(name).toString('latin1')];
    expect([device?.kind, device?.device, device?.mode]).toEqual([
      'char',
      String((1 << 8) | 44 | (1 << 20)),
      '640',
    ]);
    expect([seen.pipe?.kind, seen.pipe?.mode]).toEqual(['fifo', '600']);
    // The nearest time fs can set.
    expect(lstatSync(join(dir, 'with/exact')).mtimeMs).toBeCloseTo(1_500_000_000_123, 2);
  });

  it('says what was left out, and why, where those are missing', () => {
    const said = unpack('without', join(dir, 'no-tools'));
    expect(said).toMatch(
      /2 device nodes were left out: this Node has no node:ffi, and mknod is not installed/,
    );
    expect(said).toMatch(/1 extended attribute was left out: this Node has no node:ffi, and setfattr is not/);
    expect(readFileSync(join(dir, 'without/noted'), 'utf8')).toBe('x');
    expect(lstatSync(join(dir, 'without', name), { throwIfNoEntry: false })).toBeUndefined();
  });
});
