// What an image's layers hold and waste, as a person reads it.
import type { ImageLayers, ImageWaste } from '../client/layers.ts';
import { formatBytes, formatCount, shortDigest } from './format.ts';
import { formatTable } from './table.ts';

/** Options of `layerFilesLines`. */
export interface LayerFilesOptions {
  /** Wasteful paths shown. */
  top: number;
  /** Nothing is cut. */
  full: boolean;
  width: number;
}

/** The layers with what their files weigh, then where bytes are wasted. `image` was read with `files`. */
export function layerFilesLines(
  image: ImageLayers & { waste: ImageWaste },
  { top, full, width }: LayerFilesOptions,
): string[] {
  const { layers, waste } = image;
  const wasted = (bytes: number): string => (bytes === 0 ? '-' : formatBytes(bytes));
  const sum = (values: Array<number | undefined>): number =>
    values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const table = formatTable(
    [
      { title: '#', align: 'right' },
      { title: 'DIGEST' },
      { title: 'SIZE', align: 'right' },
      { title: 'FILES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'WASTED', align: 'right' },
      { title: 'INSTRUCTION', flexible: true },
    ],
    [
      ...layers.map((layer, i) => [
        String(i + 1),
        full ? layer.digest : shortDigest(layer.digest),
        formatBytes(layer.size),
        formatCount(layer.files ?? 0),
        formatBytes(layer.fileBytes ?? 0),
        wasted(layer.wasted?.bytes ?? 0),
        layer.instruction ?? '',
      ]),
      [
        '',
        'total',
        formatBytes(sum(layers.map(({ size }) => size))),
        formatCount(sum(layers.map(({ files }) => files))),
        formatBytes(sum(layers.map(({ fileBytes }) => fileBytes))),
        wasted(waste.bytes),
        '',
      ],
    ],
    { width: full ? Number.POSITIVE_INFINITY : width },
  );
  return [...table, '', ...wasteLines(waste, top)];
}

function wasteLines({ efficiency, files, bytes, paths }: ImageWaste, top: number): string[] {
  // Only what wastes nothing is 100 %.
  const percent = efficiency === 1 ? '100' : (Math.floor(efficiency * 1000) / 10).toFixed(1);
  const summary = `efficiency ${percent} %`;
  if (files === 0) return [`${summary}, nothing wasted`];
  const shown = paths.slice(0, top);
  const count = `${formatCount(files)} ${files === 1 ? 'file' : 'files'}`;
  const more = paths.length - shown.length;
  return [
    `${summary}, ${formatBytes(bytes)} wasted in ${count} replaced or deleted later`,
    ...(shown.length === 0
      ? []
      : [
          '',
          ...formatTable(
            [{ title: 'WASTED', align: 'right' }, { title: 'COPIES', align: 'right' }, { title: 'PATH' }],
            shown.map((path) => [formatBytes(path.bytes), formatCount(path.files), path.path]),
            { width: Number.POSITIVE_INFINITY },
          ),
        ]),
    ...(shown.length === 0 || more === 0
      ? []
      : [`and ${formatCount(more)} more ${more === 1 ? 'path' : 'paths'}`]),
  ];
}
