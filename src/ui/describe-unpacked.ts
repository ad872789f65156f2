// The one line that says what an unpack wrote.
import type { UnpackedImage } from '../client/unpack.ts';
import { formatBytes, formatCount } from './format.ts';

export function describeUnpacked({ destination, name, layers }: UnpackedImage): string {
  const sum = (key: 'entries' | 'unpackedSize'): number =>
    layers.reduce((total, layer) => total + layer[key], 0);
  const count = `${formatCount(layers.length)} ${layers.length === 1 ? 'layer' : 'layers'}`;
  return `${destination}: ${name}, ${count}, ${formatCount(sum('entries'))} entries, ${formatBytes(sum('unpackedSize'))}`;
}
