import { expect, it } from 'vitest';
import { parseMountOptions } from '../../../src/runner/builtin/mount-options.ts';

it('tells attributes of the mount from settings of the file system', () => {
  expect(parseMountOptions(['nosuid', 'strictatime', 'mode=755', 'size=65536k', 'newinstance'])).toEqual({
    attributes: ['nosuid', 'strictatime'],
    propagation: 'private',
    bind: false,
    recursive: false,
    devices: false,
    settings: [['mode', '755'], ['size', '65536k'], ['newinstance']],
  });
});

it('lets the later of two opposites win', () => {
  expect(parseMountOptions(['ro', 'rw']).attributes).toEqual([]);
  expect(parseMountOptions(['rw', 'ro']).attributes).toEqual(['ro']);
  expect(parseMountOptions(['nodev', 'dev'])).toMatchObject({ attributes: [], devices: true });
  expect(parseMountOptions(['dev', 'nodev'])).toMatchObject({ attributes: ['nodev'], devices: false });
});

it('knows the recursive names', () => {
  expect(parseMountOptions(['rbind', 'rslave', 'rro'])).toMatchObject({
    bind: true,
    recursive: true,
    propagation: 'slave',
    attributes: ['ro'],
  });
  expect(parseMountOptions(['bind', 'rprivate'])).toMatchObject({ bind: true, recursive: false });
});

it('passes over what is the default anyway, and keeps a value with an equals sign', () => {
  expect(parseMountOptions(['defaults', 'relatime', 'context="a=b"']).settings).toEqual([
    ['context', '"a=b"'],
  ]);
});
