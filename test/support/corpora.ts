// Optional test data outside the project: a folder given by $OCITOOL_CORPORA. Without it, tests say so and skip.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.env.OCITOOL_CORPORA;
const told = new Set<string>();

/** The folder `name` of the corpora, or undefined (with one printed line) when it is not here. */
export function corpus(name: string): string | undefined {
  const path = root === undefined ? undefined : join(root, name);
  if (path !== undefined && existsSync(path)) return path;
  if (!told.has(name)) console.log(`SKIPPED corpus ${name}: set OCITOOL_CORPORA to the folder that holds it`);
  told.add(name);
  return undefined;
}

/** A JSON document of the corpora, or undefined when it is not here. */
export function corpusJson<T>(path: string): T | undefined {
  const file = corpus(path);
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as T);
}
