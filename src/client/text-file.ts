// Small files that a person names: keys, roots of trust, policies.
import { readFileSync } from 'node:fs';
import { fileError } from '../errors.ts';

/** A file's content, and its name for messages. */
export interface NamedText {
  name: string;
  text: string;
}

/** Throws PERMISSION, IO. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError(error, file);
  }
}

/** Throws PERMISSION, IO. */
export function namedText(file: string): NamedText {
  return { name: file, text: readText(file) };
}
