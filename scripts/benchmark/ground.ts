// What every part of the benchmark stands on: a folder, a registry that has the reference image, and the tools at hand.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { startDockerRegistry } from '../../test/support/docker-registry.ts';
import { quote } from './measure.ts';
import type { Manifest } from './synthetic-image.ts';

export const root = resolve(import.meta.dirname, '../..');

export interface Ground {
  scratch: string;
  /** Path in the scratch folder, for a shell. */
  at(path: string): string;
  address: string;
  /** The reference image in the registry. */
  name: string;
  /** The same with zstd layers, if there is such a layout. */
  zstdName: string | undefined;
  /** The folder of the reference image and the files of its layers. */
  layout: string;
  layers: string[];
  layerBytes: number;
  /** Command lines to continue. */
  ocitool: string;
  skopeo: string;
  /** `floor.c`, compiled. */
  floor: string | undefined;
  push(layout: string, name: string): void;
  close(): Promise<void>;
}

export async function prepareGround(layout: string): Promise<Ground> {
  const scratch = mkdtempSync(join(tmpdir(), 'ocitool-bench-'));
  // What the tools put aside, Node's compile cache among it, goes with the folder.
  process.env.TMPDIR = scratch;
  const registry = await startDockerRegistry();
  const skopeo = 'skopeo --insecure-policy copy --quiet';
  const floor = join(root, '.cache/bench/floor');
  const push = (from: string, to: string) =>
    sh(`${skopeo} --dest-tls-verify=false oci:${from} docker://${to}`);
  const close = async () => {
    await registry.close();
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    const name = `${registry.address}/bench/reference:1`;
    push(layout, name);
    const zstd = existsSync(`${layout}-zstd`) ? `${registry.address}/bench/reference:zstd` : undefined;
    if (zstd !== undefined) push(`${layout}-zstd`, zstd);
    return {
      scratch,
      at: (path) => quote(join(scratch, path)),
      address: registry.address,
      name,
      zstdName: zstd,
      layout,
      layers: layersOf(layout),
      layerBytes: manifestOf(layout).layers.reduce((sum, layer) => sum + layer.size, 0),
      ocitool: quote(join(root, 'bin/ocitool.cjs')),
      skopeo,
      floor: existsSync(floor) ? quote(floor) : skipped('the floor', 'floor.c is not compiled'),
      push,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The manifest of the layout's only image. */
export function manifestOf(layout: string): Manifest {
  const read = <T>(path: string) => JSON.parse(readFileSync(join(layout, path), 'utf8')) as T;
  const [entry] = read<{ manifests: Descriptor[] }>('index.json').manifests;
  return read<Manifest>(`blobs/${entry?.digest.replace(':', '/')}`);
}

/** The files of its layers. */
export function layersOf(layout: string): string[] {
  return manifestOf(layout).layers.map(({ digest }) => join(layout, 'blobs', digest.replace(':', '/')));
}

export function sh(command: string): string {
  return execFileSync('sh', ['-c', command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 30,
  });
}

/** Is the command installed? Says so when it is not. */
export function has(command: string): boolean {
  try {
    sh(`command -v ${command}`);
    return true;
  } catch {
    skipped(command, 'it is not installed');
    return false;
  }
}

export function skipped(what: string, why: string): undefined {
  console.error(`skipped: ${what}: ${why}`);
}
