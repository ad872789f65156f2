// An npm that runs under Node 20 picks older packages than Node 26 could have: the versions are pinned, and this holds them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './sources.ts';

interface Manifest {
  version: string;
  engines: { node: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts?: Record<string, boolean>;
}

interface LockedPackage {
  version: string;
  hasInstallScript?: boolean;
  optionalDependencies?: Record<string, string>;
}

const manifest = read<Manifest>('package.json');
const lock = read<{ lockfileVersion: number; packages: Record<string, LockedPackage> }>('package-lock.json');
const direct = { ...manifest.dependencies, ...manifest.devDependencies };

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
}

it('names exact versions', () => {
  expect(Object.entries(direct).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

it('has installed what package.json names and package-lock.json holds', () => {
  for (const [name, version] of Object.entries(direct)) {
    expect(`${name}@${lock.packages[`node_modules/${name}`]?.version}`).toBe(`${name}@${version}`);
    expect(`${name}@${read<Manifest>(`node_modules/${name}/package.json`).version}`).toBe(
      `${name}@${version}`,
    );
  }
});

it.each([
  ['node', '26'],
  ['undici', '8'],
  ['vitest', '5'],
  ['@oclif/core', '5'],
  ['zod', '4'],
  ['tar', '7'],
])('has %s %s', (name, major) => {
  expect(direct[name]?.split('.')[0]).toBe(major);
});

it('asks for Node 26 and runs the tests on it', () => {
  expect(manifest.engines.node).toBe('>=26');
  expect(Number.parseInt(process.versions.node, 10)).toBeGreaterThanOrEqual(26);
});

it('lets npm run the install scripts that Node 26 and esbuild come with, and no others', () => {
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
  const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, '')).sort();
  expect(Object.keys(manifest.allowScripts ?? {}).sort()).toEqual(names);
});

it('locks the packages of every platform, not of the one it was made on (npm/cli#4828)', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});
