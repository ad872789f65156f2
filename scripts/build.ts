// Builds dist: the typed library with tsc, and the command line as one bundle with esbuild, which starts far faster.
import { execFileSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

rmSync(join(root, 'dist'), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);

const commands = globSync('src/commands/**/*.ts', { cwd: root });
const entryPoints: Record<string, string> = {
  main: 'src/cli/main.ts',
  // Started with `new Worker` by src/rootfs/layer-pool.ts, which lands in a chunk beside it.
  'layer-worker': 'src/rootfs/layer-worker.ts',
  'hash-worker': 'src/blobstore/hash-worker.ts',
};
// `network create` is commands/network/create.
for (const file of commands) entryPoints[file.slice('src/'.length, -'.ts'.length)] = file;

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

await build({
  absWorkingDir: root,
  plugins: [partsOfUndici],
  entryPoints,
  outdir: 'dist/bundle',
  bundle: true,
  splitting: true,
  // Names are not kept: a call for each function and class takes 20 ms of a command's start.
  minify: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  legalComments: 'none',
  logLevel: 'warning',
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});

// Files of their own, without chunks, as CommonJS: a container waits for each to load, and an ES module takes 15 ms more.
await build({
  absWorkingDir: root,
  entryPoints: {
    'container-init': 'src/runner/builtin/container-init.ts',
    // Started for each container by src/runner/start-monitor.ts.
    monitor: 'src/runner/monitor.ts',
  },
  define: { 'import.meta.url': '__url' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  outdir: 'dist/bundle',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  minify: true,
  format: 'cjs',
  platform: 'node',
  target: 'node26',
  legalComments: 'none',
  logLevel: 'warning',
});

execFileSync(process.execPath, [join(root, 'node_modules/oclif/bin/run.js'), 'manifest'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
});
