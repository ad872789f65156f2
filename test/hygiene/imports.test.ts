// Folders import downwards only; the packages that cost start-up time or open sockets stay where they belong.
import { expect, it } from 'vitest';
import { type SourceFile, sourceFiles } from './sources.ts';

const RANKS = [
  ['errors.ts', 'if-there.ts', 'json.ts', 'monotonic-ms.ts', 'random-name.ts', 'redact.ts'],
  ['reference'],
  ['manifest'],
  ['place'],
  ['registry', 'blobstore', 'archive', 'layer', 'verify'],
  ['copy', 'rootfs', 'serve'],
  ['runner'],
  ['client'],
  ['ui'],
  ['index.ts', 'cli'],
  ['commands'],
];

const files = sourceFiles('src/**/*.ts');
const edges = files.flatMap((file) =>
  file.imports.filter((path) => path.startsWith('src/')).map((to) => ({ from: file.path, to })),
);

/** `src/copy/copier.ts` is in copy. */
function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function rankOf(path: string): number {
  return RANKS.findIndex((folders) => folders.includes(folderOf(path)));
}

function importersOf(packageName: string): string[] {
  const uses = (file: SourceFile) =>
    file.imports.some((name) => name === packageName || name.startsWith(`${packageName}/`));
  return files.filter(uses).map((file) => file.path);
}

it('gives every folder a rank', () => {
  expect(files.length).toBeGreaterThan(50);
  expect(files.map((file) => file.path).filter((path) => rankOf(path) === -1)).toEqual([]);
});

it('imports files that exist', () => {
  const known = new Set(files.map((file) => file.path));
  expect(edges.filter(({ to }) => !known.has(to))).toEqual([]);
});

it('imports downwards only, and not from another folder of the same rank', () => {
  const upwards = edges.filter(
    ({ from, to }) => folderOf(from) !== folderOf(to) && rankOf(to) >= rankOf(from) && rankOf(to) > 0,
  );
  expect(upwards).toEqual([]);
});

it('has no cycles, types aside', () => {
  const targets = new Map(files.map((file) => [file.path, file.loads]));
  const done = new Set<string>();
  const cycles: string[] = [];
  function visit(path: string, trail: string[]): void {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (done.has(path) || trail.includes(path)) return;
    for (const to of targets.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  }
  for (const { path } of files) visit(path, []);
  expect(cycles).toEqual([]);
});

it('shows nothing to people outside the command line', () => {
  const others = edges.filter(
    ({ from, to }) => folderOf(to) === 'ui' && !['ui', 'cli', 'commands'].includes(folderOf(from)),
  );
  expect(others).toEqual([]);
});

it('opens sockets in registry, serve and the runner’s network only', () => {
  expect(importersOf('undici').filter((path) => folderOf(path) !== 'registry')).toEqual([]);
  const servers = ['node:http', 'node:https', 'node:net', 'node:tls', 'node:http2'].flatMap(importersOf);
  expect(
    servers.filter(
      (path) => !['registry', 'serve'].includes(folderOf(path)) && !path.startsWith('src/runner/network/'),
    ),
  ).toEqual([]);
});

it('loads zod (100 ms) for documents of others only', () => {
  expect(importersOf('zod').filter((path) => !['manifest', 'registry'].includes(folderOf(path)))).toEqual([]);
});

it('knows oclif in the command line only', () => {
  expect(importersOf('@oclif/core').filter((path) => !['cli', 'commands'].includes(folderOf(path)))).toEqual(
    [],
  );
});
