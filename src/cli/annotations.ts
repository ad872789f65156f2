// `--annotation KEY=VALUE` as pairs.
import { OciError } from '../errors.ts';

/** Throws USAGE for a key without a value. */
export function parseAnnotations(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new OciError('USAGE', `--annotation ${text}: no value`, { hint: 'write it as KEY=VALUE' });
    }),
  );
}
