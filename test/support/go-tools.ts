// Second opinions that come as Go source: built once into a cache folder, where Go and its module proxy are at hand.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasTools } from './tools.ts';

const run = promisify(execFile);
const BUILD_TIMEOUT = 240_000;

const TOOLS = {
  conformance: {
    module: 'github.com/opencontainers/distribution-spec/conformance',
    version: 'v0.0.0-20260831232431-97274622c111',
    main: 'github.com/opencontainers/distribution-spec/conformance',
  },
  crane: {
    module: 'github.com/google/go-containerregistry',
    version: 'v0.22.1',
    main: 'github.com/google/go-containerregistry/cmd/crane',
  },
  oras: { module: 'oras.land/oras', version: 'v1.3.6', main: 'oras.land/oras/cmd/oras' },
  regctl: {
    module: 'github.com/regclient/regclient',
    version: 'v0.11.7',
    main: 'github.com/regclient/regclient/cmd/regctl',
  },
} as const;

/** The program's path; undefined, with one printed line, where it cannot be built. */
export async function goTool(name: keyof typeof TOOLS): Promise<string | undefined> {
  if (!hasTools('go')) return undefined;
  const { module, version, main } = TOOLS[name];
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ocitool-test');
  const program = join(cache, `${name}-${version}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'build-'));
  try {
    writeFileSync(join(folder, 'go.mod'), 'module build\n\ngo 1.25\n');
    const options = { cwd: folder, env: { ...process.env, GOFLAGS: '-mod=mod' }, timeout: BUILD_TIMEOUT };
    await run('go', ['get', `${module}@${version}`], options);
    await run('go', ['build', '-o', 'program', main], options);
    // Whole or not there: another test may be building it too.
    renameSync(join(folder, 'program'), program);
    return program;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error);
    console.log(`SKIPPED for want of ${name}: it cannot be built here: ${reason.slice(0, 300)}`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
