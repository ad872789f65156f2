// Builds dist: the typed library with tsc, and the command line as one bundle with esbuild, which starts far faster.
import { isAscii } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { lazyBuiltins, lazyOclif, packagesElsewhere, partsOfPackages } from './lean-packages.ts';
import { leanUndici } from './lean-undici.ts';

const root = join(import.meta.dirname, '..');

rmSync(join(root, 'dist'), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);

/** By oclif's id: `network create` is network:create, in commands/network/create.ts. */
const commands = globSync('src/commands/**/*.ts', { cwd: root })
  .sort()
  .map((file) => ({ id: file.slice('src/commands/'.length, -'.ts'.length).replaceAll('/', ':'), file }));

const common = {
  absWorkingDir: root,
  plugins: [partsOfPackages, lazyOclif, leanUndici],
  outdir: 'dist/bundle',
  bundle: true,
  // Names are not kept: a call for each function and class takes 20 ms of a command's start.
  minify: true,
  platform: 'node',
  target: 'node26',
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

/** One file each: of an ES module that is split, every chunk takes half a millisecond to find, and a pull had 56. */
const commonJs = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': '__url' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
} satisfies BuildOptions;

// The command line, in which a module is set up when it is first imported.
const elsewhere = packagesElsewhere(['undici']);
await build({
  ...commonJs,
  plugins: [elsewhere.plugin, lazyBuiltins, ...common.plugins],
  stdin: {
    resolveDir: root,
    sourcefile: 'command-line.ts',
    loader: 'ts',
    contents: `
      import { main as start } from './src/cli/main.ts';
      export const main = (argv, root, monitor) => start(argv, { root, commands, monitor });
      export const commands = {
        ${commands.map(({ id, file }) => `get '${id}'() { return require('./${file}').default; },`).join('\n')}
      };`,
  },
  entryNames: 'main',
});
// Node reads it in half the time. What esbuild leaves as it is, regular expressions, is written so in src.
if (!isAscii(readFileSync(join(root, 'dist/bundle/main.cjs')))) throw new Error('main.cjs is not all ASCII');
for (const [name, contents] of Object.entries(elsewhere.contents())) {
  await build({ ...commonJs, stdin: { resolveDir: root, contents }, entryNames: name });
}
// Each stands between a `run` and its container.
await build({
  ...commonJs,
  entryPoints: {
    'container-init': 'src/runner/builtin/container-init.ts',
    // Loaded by bin/ocitool.cjs, before the command line.
    'early-monitor': 'src/cli/early-monitor.ts',
  },
});
// Started for each container by src/runner/spawn-monitor.ts.
await build({
  ...commonJs,
  plugins: [lazyBuiltins, ...common.plugins],
  entryPoints: { monitor: 'src/runner/monitor.ts' },
});
// Started with `new Worker`, by names that are the library's as well.
await build({
  ...common,
  format: 'esm',
  entryPoints: {
    'layer-worker': 'src/rootfs/layer-worker.ts',
    'hash-worker': 'src/blobstore/hash-worker.ts',
  },
});
execFileSync(process.execPath, [join(root, 'node_modules/oclif/bin/run.js'), 'manifest'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
});
