// The Range header (RFC 9110, 14.2): one range of bytes. Anything else is answered with the whole, which is allowed.

/** First and last byte, or why not. */
export type ByteRange = { first: number; last: number } | 'whole' | 'unsatisfiable';

export function parseRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/.exec(header ?? '');
  if (match === null) return 'whole';
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return 'whole';
    const length = Number(to);
    return length === 0 || size === 0
      ? 'unsatisfiable'
      : { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return 'unsatisfiable';
  return first >= size ? 'unsatisfiable' : { first, last };
}
