// JSON as image documents hold it: `null` stands for "absent" wherever Go wrote an empty field.

/** The parsed value without null members. Throws SyntaxError. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  return JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value));
}

/** True for `{…}`, false for arrays and everything else. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
