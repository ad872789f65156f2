import { describe, expect, test } from 'vitest';
import { parseImagePath } from '../../src/archive/image-path.ts';

describe('IMAGE:PATH', () => {
  test.each([
    ['alpine:/etc/passwd', 'alpine', '/etc/passwd'],
    ['alpine:3.20:/etc/passwd', 'alpine:3.20', '/etc/passwd'],
    ['alpine:/', 'alpine', '/'],
    ['alpine:/etc/.', 'alpine', '/etc/.'],
    ['localhost:5000/a/b:/x', 'localhost:5000/a/b', '/x'],
    ['localhost:5000/a/b:1:/x', 'localhost:5000/a/b:1', '/x'],
    ['docker://alpine:3.20:/etc', 'docker://alpine:3.20', '/etc'],
    ['docker://localhost:5000/a:/etc', 'docker://localhost:5000/a', '/etc'],
    [`a@sha256:${'0'.repeat(64)}:/x`, `a@sha256:${'0'.repeat(64)}`, '/x'],
    ['oci:dir:/etc', 'oci:dir', '/etc'],
    ['oci:/abs/dir:/etc', 'oci:/abs/dir', '/etc'],
    ['oci:/abs/dir:tag:/etc', 'oci:/abs/dir:tag', '/etc'],
    ['oci-archive:/a.tar:localhost:5000/n:1:/etc', 'oci-archive:/a.tar:localhost:5000/n:1', '/etc'],
    ['docker-archive:x.tar:/etc', 'docker-archive:x.tar', '/etc'],
    // A path with `:/` in it: the first half is no name.
    ['alpine:3.20:/a:/b', 'alpine:3.20', '/a:/b'],
    ['alpine://twice', 'alpine', '//twice'],
  ])('%s', (text, image, path) => {
    expect(parseImagePath(text)).toEqual({ image, path });
  });

  test.each([
    'alpine',
    'alpine:3.20',
    'alpine:etc/passwd',
    'docker://alpine',
    'oci:/abs/dir',
    'oci-archive:/a.tar',
    ':/etc',
    '',
    'No/Good:/etc',
  ])('%j is not one', (text) => {
    expect(() => parseImagePath(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
