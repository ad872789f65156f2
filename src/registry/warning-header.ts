// Registries tell users things in `Warning: 299 - "text"` (distribution spec, warnings).

const WARNING = /^299 - "((?:[^"\\]|\\.)*)"/;

/** The text of a miscellaneous persistent warning; undefined for other kinds and for text unfit for a terminal. */
export function parseWarning(header: string): string | undefined {
  const text = WARNING.exec(header)?.[1]?.replace(/\\(.)/g, '$1');
  return text === undefined || text === '' || /\p{Cc}/u.test(text) ? undefined : text;
}
