// How an image's waste looks.
import { expect, test } from 'vitest';
import type { ImageWaste, LayerInfo } from '../../src/client/layers.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { type LayerFilesOptions, layerFilesLines } from '../../src/ui/layer-files.ts';

const layer = (size: number, files: number, fileBytes: number, wasted: number): LayerInfo => ({
  digest: digestOf(String(size)),
  diffId: undefined,
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  size,
  unpackedSize: fileBytes,
  files,
  fileBytes,
  wasted: { files: wasted === 0 ? 0 : 1, bytes: wasted },
  instruction: `RUN make a layer of ${size} bytes, which is not worth a line so long that a terminal breaks it`,
  sharedWith: [],
});

function lines(waste: ImageWaste, options: Partial<LayerFilesOptions> = {}): string[] {
  const layers = [layer(1_000, 1_500, 4_000, 3_000), layer(20_000_000, 3, 50_000_000, 0)];
  const image = { name: 'a', digest: digestOf('a'), layers, waste };
  return layerFilesLines(image, { top: 2, full: false, width: 80, ...options });
}

const WASTE: ImageWaste = {
  efficiency: 0.99999,
  files: 1_200,
  bytes: 3_000,
  paths: [
    { path: '/var/cache/big', files: 2, bytes: 2_000 },
    { path: '/etc/\u001b[2J', files: 1, bytes: 900 },
    { path: '/last', files: 1_197, bytes: 100 },
  ],
};

test('each layer, the whole, and where the waste is', () => {
  expect(lines(WASTE)).toEqual([
    '#  DIGEST          SIZE  FILES   BYTES  WASTED  INSTRUCTION',
    '1  405101758459  1.00kB  1,500  4.00kB  3.00kB  RUN make a layer of 1000 bytes,…',
    '2  fc3470c0a606  20.0MB      3  50.0MB       -  RUN make a layer of 20000000 by…',
    '   total         20.0MB  1,503  50.0MB  3.00kB',
    '',
    'efficiency 99.9 %, 3.00kB wasted in 1,200 files replaced or deleted later',
    '',
    'WASTED  COPIES  PATH',
    '2.00kB       2  /var/cache/big',
    '  900B       1  /etc/\\x1b[2J',
    'and 1 more path',
  ]);
});

test('as many paths as were asked for, and nothing cut', () => {
  expect(lines(WASTE, { top: 0 }).at(-1)).toMatch(/^efficiency/);
  expect(lines(WASTE, { top: 9 }).at(-1)).toBe('  100B   1,197  /last');
  const [, first = ''] = lines(WASTE, { full: true });
  expect(first).toContain(digestOf('1000'));
  expect(first).toMatch(/breaks it$/);
});

test('an image that wastes nothing', () => {
  expect(lines({ efficiency: 1, files: 0, bytes: 0, paths: [] }).at(-1)).toBe(
    'efficiency 100 %, nothing wasted',
  );
});
