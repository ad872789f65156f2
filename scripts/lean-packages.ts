// What the command line takes of the packages it stands on: the parts it uses, each set up when it is first used, and
// out of the file that every command has to read. Their front doors set up all they have, which cost each command 40 ms
// (oclif) and each transfer 80 ms of CPU (undici).
import { isBuiltin } from 'node:module';
import type { Plugin } from 'esbuild';
import { type Patch, readPatched } from './patched.ts';

/** By package: the modules behind the names that src imports from it. */
const PARTS: Record<string, string> = {
  '@oclif/core': `
    export * as Args from '@oclif/core/args';
    export * as Flags from '@oclif/core/flags';
    export { Command } from '@oclif/core/command';
    export { Config } from '@oclif/core/config';
    export { run } from '@oclif/core/run';`,
  undici: `
    export { default as Agent } from 'undici/lib/dispatcher/agent.js';
    export { default as EnvHttpProxyAgent } from 'undici/lib/dispatcher/env-http-proxy-agent.js';
    export { default as buildConnector } from 'undici/lib/core/connect.js';`,
  // oclif asks whether this is WSL, for names of folders that are not used here; to know, it loads node:child_process.
  'wsl-utils': 'export const isWsl = false;',
};

/** Instead of a package's front door, its parts. */
export const partsOfPackages: Plugin = {
  name: 'parts of packages',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(?:${Object.keys(PARTS).join('|')})$`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: 'parts' }));
    onLoad({ filter: /.*/, namespace: 'parts' }, ({ path }) => ({
      resolveDir: import.meta.dirname,
      contents: PARTS[path] ?? '',
    }));
  },
};

/** Small, and needed by most commands. */
const KEPT = /^(?:@oclif\/core|get-package-type|p-limit|tar\/(?:header|pax)|wsl-utils|zod)(?:\/|$)/;

/**
 * Other packages are left to files beside the bundle, `packages.cjs` and one for each of `alone`; `contents` are these
 * files' sources once the bundle is built.
 */
export function packagesElsewhere(alone: readonly string[]): {
  plugin: Plugin;
  contents(): Record<string, string>;
} {
  const names = new Set<string>();
  const fileOf = (name: string): string => (alone.includes(name) ? name : 'packages');
  const plugin: Plugin = {
    name: 'packages elsewhere',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[a-z@]/ }, ({ path, importer, namespace }) => {
        const inside = importer.includes('/node_modules/') && !importer.includes('/@oclif/core/');
        if (namespace !== 'file' || inside || isBuiltin(path) || KEPT.test(path)) return undefined;
        names.add(path);
        return { path, namespace: 'elsewhere' };
      });
      onLoad({ filter: /.*/, namespace: 'elsewhere' }, ({ path }) => ({
        contents: `module.exports = require('./${fileOf(path)}.cjs')['${path}'];`,
      }));
      onResolve({ filter: /^\.\/[a-z]+\.cjs$/, namespace: 'elsewhere' }, ({ path }) => ({
        path,
        external: true,
      }));
    },
  };
  return {
    plugin,
    contents() {
      const files: Record<string, string> = {};
      for (const name of [...names].sort()) {
        const file = fileOf(name);
        files[file] =
          `${files[file] ?? ''}Object.defineProperty(exports, '${name}', { get: () => require('${name}') });\n`;
      }
      return files;
    },
  };
}

/** Parts of Node that take a millisecond or more to set up; node:crypto takes 6. */
const HEAVY =
  /^node:(?:child_process|crypto|dgram|dns|fs\/promises|http|https|net|perf_hooks|readline|sqlite|stream|stream\/promises|tls|worker_threads|zlib)$/;

/** What src imports of these is got from Node when it is first used. */
export const lazyBuiltins: Plugin = {
  name: 'lazy builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: HEAVY }, ({ path, namespace }) =>
      namespace === 'file' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `
        for (const name of ${JSON.stringify(Object.keys(process.getBuiltinModule(path) ?? {}))}) {
          Object.defineProperty(exports, name, { enumerable: true, get: () => process.getBuiltinModule('${path}')[name] });
        }`,
    }));
  },
};

/**
 * What oclif's modules require at their top, they get where they first use it: help, spinners, globs and most of the
 * rest is then never set up. They are as TypeScript emits them, `const help_1 = require("./help");`.
 */
export const lazyOclif: Plugin = {
  name: 'lazy oclif',
  setup({ onLoad }) {
    onLoad({ filter: /\/@oclif\/core\/lib\/.*\.js$/ }, ({ path }) => ({
      contents: lazily(readPatched(path, PATCHES)),
    }));
  },
};

const PATCHES: Patch[] = [
  // The first file that is read so starts Node's threads: 3 to 10 ms for two small files.
  {
    file: 'util/fs.js',
    from: "await (0, promises_1.readFile)(path, 'utf8')",
    to: "require('node:fs').readFileSync(path, 'utf8')",
  },
  // ICU takes 8 ms before it has sorted the first two commands.
  { file: 'config/plugin.js', from: 'a.id.localeCompare(b.id)', to: 'a.id < b.id ? -1 : 1' },
  // Otherwise the default is loaded although there is one.
  {
    file: 'logger.js',
    from: 'set(makeLogger(OCLIF_NS));',
    to: "cachedLoggers.has('root') || set(makeLogger(OCLIF_NS));",
  },
];

const REQUIRE = /^const (\w+_\d+) = ((?:__import\w+\()?require\("[^"]+"\)\)?);$/gm;

function lazily(source: string): string {
  const names: string[] = [];
  const declared = source.replace(REQUIRE, (_line, name: string, value: string) => {
    names.push(name);
    return `const ${name} = { get module() { return (this.got ??= ${value}); } };`;
  });
  return names.reduce(
    (text, name) => text.replaceAll(new RegExp(`\\b${name}\\.`, 'g'), `${name}.module.`),
    declared,
  );
}
