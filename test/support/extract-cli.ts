// `node extract-cli.ts DIR LAYER...`: unpacks layer files, lowest first, into DIR (absent or empty). For harnesses
// that run a command per case.
import { readFileSync } from 'node:fs';
import { digestOf } from '../../src/reference/digest.ts';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { unpack } from '../../src/rootfs/unpack.ts';

const [destination, ...files] = process.argv.slice(2);
const layers = files.map((path): LayerSource => {
  const bytes = readFileSync(path);
  return {
    descriptor: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(bytes),
      size: bytes.length,
    },
    location: { path, offset: 0, size: bytes.length },
  };
});
try {
  const { warnings } = await unpack(layers, destination ?? '');
  for (const warning of warnings) console.error(warning);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
