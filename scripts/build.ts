// Builds dist: the typed library with tsc, and the command line as one bundle with esbuild, which starts far faster.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

rmSync(join(root, 'dist'), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);

/** `network create` is commands/network/create. */
const commands = globSync('src/commands/**/*.ts', { cwd: root })
  .sort()
  .map((file) => ({ id: file.slice('src/commands/'.length, -'.ts'.length), file }));

/** Only what is used of undici: its front door loads fetch, caches and mocks too, which cost every transfer 80 ms of CPU. */
const partsOfUndici: Plugin = {
  name: 'parts of undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'parts' }));
    onLoad({ filter: /.*/, namespace: 'parts' }, () => ({
      resolveDir: root,
      contents: `
        export { default as Agent } from 'undici/lib/dispatcher/agent.js';
        export { default as EnvHttpProxyAgent } from 'undici/lib/dispatcher/env-http-proxy-agent.js';
        export { default as buildConnector } from 'undici/lib/core/connect.js';`,
    }));
  },
};

const common = {
  absWorkingDir: root,
  plugins: [partsOfUndici],
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
await build({
  ...commonJs,
  stdin: {
    resolveDir: root,
    sourcefile: 'command-line.ts',
    loader: 'ts',
    contents: `
      export { main } from './src/cli/main.ts';
      export const commands = {
        ${commands.map(({ id, file }) => `'${id}': () => import('./${file}'),`).join('\n')}
      };`,
  },
  entryNames: 'main',
});
// A container waits for each of these to load.
await build({
  ...commonJs,
  entryPoints: {
    'container-init': 'src/runner/builtin/container-init.ts',
    // Started for each container by src/runner/start-monitor.ts.
    monitor: 'src/runner/monitor.ts',
  },
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
// oclif finds commands by their files. Not imported, which would read all of the bundle for its names.
for (const { id } of commands) {
  const file = join(root, 'dist/bundle/commands', `${id}.js`);
  mkdirSync(dirname(file), { recursive: true });
  const bundle = `${'../'.repeat(id.split('/').length)}main.cjs`;
  const lines = [
    "import { createRequire } from 'node:module';",
    `const { commands } = createRequire(import.meta.url)('${bundle}');`,
    `export default (await commands['${id}']()).default;`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
}

execFileSync(process.execPath, [join(root, 'node_modules/oclif/bin/run.js'), 'manifest'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
});
