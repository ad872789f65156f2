// Taking values out of registries' answers, which may be of any shape.
import { isRecord } from '../json.ts';

/** The value when it is a JSON object. */
export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined;
}

/** The value when it is a string with something in it. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
