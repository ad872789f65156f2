// Second opinions: other tools the tests compare with. Without one, tests say so and skip.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const told = new Set<string>();

/** True when all of `names` are installed; else false, with one printed line. */
export function hasTools(...names: string[]): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const missing = names.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  for (const name of missing) {
    if (!told.has(name)) console.log(`SKIPPED for want of ${name}: scripts/test installs it on Debian`);
    told.add(name);
  }
  return missing.length === 0;
}

/** Runs a tool that must succeed and gives its stdout. */
export async function tool(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(name, args, { maxBuffer: 1 << 26 });
  return stdout;
}

/** skopeo without the machine's policy, and over plain HTTP where it meets a registry. */
export function skopeo(...args: string[]): Promise<string> {
  return tool('skopeo', '--insecure-policy', ...args);
}
