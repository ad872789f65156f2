// `node extract-cli.ts DIR LAYER...`: unpacks layer files, lowest first, into DIR (absent or empty). For harnesses
// that run a command per case.
import { readFileSync } from 'node:fs';
import { unpack } from '../../src/rootfs/unpack.ts';
import { layerAt } from './layers.ts';

const [destination, ...files] = process.argv.slice(2);
const layers = files.map((path) => layerAt(path, readFileSync(path)));
try {
  const { warnings } = await unpack(layers, destination ?? '');
  for (const warning of warnings) console.error(warning);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
