// Reading a mounted root file system: whatever its links say, nothing outside is ever seen.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInside, textInside } from '../../../src/runner/spec/inside.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ocitool-inside-'));
  root = join(folder, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(folder, 'passwd'), 'OUTSIDE');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function read(path: string, mounts: string[] = []): string | undefined {
  const inside = openInside(root, mounts);
  try {
    return inside.read(path, 100)?.toString();
  } finally {
    inside.close();
  }
}

describe('a path', () => {
  it('is walked from the top, .. stopping there', () => {
    for (const path of ['/etc/passwd', 'etc/passwd', '/etc/../etc/./passwd', '/../../etc//passwd']) {
      expect([path, read(path)]).toEqual([path, 'inside']);
    }
    expect(read('../passwd')).toBeUndefined();
  });

  it.each([
    ['an absolute link', () => symlinkSync('/etc/passwd', join(root, 'link'))],
    ['a relative link', () => symlinkSync('etc/passwd', join(root, 'link'))],
    ['a link that climbs', () => symlinkSync('../../../../etc/passwd', join(root, 'link'))],
    [
      'a link through a linked directory',
      () => {
        symlinkSync('/etc', join(root, 'dir'));
        symlinkSync('dir/passwd', join(root, 'link'));
      },
    ],
  ])('through %s is found inside', (_, make) => {
    make();
    expect(read('/link')).toBe('inside');
  });

  it('never leaves by a link: the outside exists at just that place', () => {
    symlinkSync(join(folder, 'passwd'), join(root, 'absolute'));
    symlinkSync('../passwd', join(root, 'climbing'));
    symlinkSync(folder, join(root, 'dir'));
    for (const path of ['/absolute', '/climbing', '/dir/passwd']) expect(read(path)).toBeUndefined();
  });

  it('through a link to /proc/self/root or a descriptor stays inside', () => {
    symlinkSync('/proc/self/root/etc/passwd', join(root, 'link'));
    symlinkSync('/proc/self/fd/0', join(root, 'fd'));
    expect(read('/link')).toBeUndefined();
    expect(read('/fd')).toBeUndefined();
  });

  it('in a ring of links ends', () => {
    symlinkSync('/b', join(root, 'a'));
    symlinkSync('/a', join(root, 'b'));
    expect(read('/a')).toBeUndefined();
  });

  it('through a mount of the container is not known yet', () => {
    mkdirSync(join(root, 'opt'));
    symlinkSync('/opt/tool', join(root, 'tool'));
    const inside = openInside(root, ['/opt']);
    expect(inside.find('/opt/tool')).toBe('mounted');
    expect(inside.find('/tool')).toBe('mounted');
    expect(inside.find('/opt')).toBe('mounted');
    expect(inside.find('/etc/passwd')).toMatchObject({ path: '/etc/passwd' });
    inside.close();
  });
});

describe('what is read', () => {
  it('is never a directory, a FIFO (which would wait for ever) or a device', () => {
    expect(read('/etc')).toBeUndefined();
    spawnSync('mkfifo', [join(root, 'etc/group')]);
    expect(read('/etc/group')).toBeUndefined();
    if (spawnSync('mknod', [join(root, 'etc/shadow'), 'c', '1', '5']).status === 0)
      expect(read('/etc/shadow')).toBeUndefined();
  });

  it('has a bound', () => {
    writeFileSync(join(root, 'etc/group'), 'x'.repeat(1000));
    expect(read('/etc/group')).toHaveLength(100);
    const inside = openInside(root);
    expect(textInside(inside, '/etc/passwd', 6)).toBe('inside');
    expect(textInside(inside, '/etc/nothing', 6)).toBe('');
    expect(() => textInside(inside, '/etc/group', 999)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
    inside.close();
  });

  it('leaves no descriptor open', () => {
    symlinkSync('/etc/passwd', join(root, 'link'));
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for (const path of ['/link', '/etc', '/none/x', '/etc/passwd/x']) read(path);
    expect(open()).toBe(before);
  });
});
