import { describe, expect, it } from 'vitest';
import { parseContentLength, parseContentRange } from '../../src/registry/content-range.ts';
import { parseNextLink } from '../../src/registry/link-header.ts';
import { parseRetryAfter } from '../../src/registry/retry.ts';
import { parseWarning } from '../../src/registry/warning-header.ts';
import { corpusJson } from '../support/corpora.ts';

interface HeaderCase {
  id: string;
  name: string;
  headers?: Record<string, string[]>;
  expect: {
    ok?: boolean;
    first?: number;
    last?: number;
    completeLength?: number;
    size?: number;
    text?: string;
  };
}

const cases = corpusJson<{ cases: HeaderCase[] }>('auth/http-response-cases.json')?.cases ?? [];
const named = (name: string): [string, HeaderCase][] =>
  cases.filter((entry) => entry.name === name).map((entry) => [entry.id, entry]);

describe('Content-Range', () => {
  it.each(named('Content-Range'))('corpus %s', (_id, { headers, expect: expected }) => {
    const range = parseContentRange(headers?.['Content-Range']?.[0]);
    if (expected.ok === false) {
      expect(range).toBeUndefined();
      return;
    }
    const { first, last, completeLength } = expected;
    expect(range).toEqual({ first, last, complete: completeLength === -1 ? undefined : completeLength });
  });

  it('missing is undefined', () => {
    expect(parseContentRange(undefined)).toBeUndefined();
  });
});

describe('Content-Length', () => {
  it.each(named('Content-Length parsing'))('corpus %s', (_id, { headers, expect: expected }) => {
    expect(parseContentLength(headers?.['Content-Length']?.[0]) ?? -1).toBe(expected.size);
  });

  it.each([
    ['0', 0],
    ['123', 123],
    ['-1', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['99999999999999999999', undefined],
  ])('%j is %j', (text, expected) => {
    expect(parseContentLength(text)).toBe(expected);
  });
});

describe('Warning', () => {
  it.each([
    ['299 - "this tag is \\"deprecated\\""', 'this tag is "deprecated"'],
    ['299 - "x" "Tue, 24 Nov 2026 06:00:30 GMT"', 'x'],
    ['199 - "miscellaneous"', undefined],
    ['299 - "\u001b[31m"', undefined],
    ['299 - ""', undefined],
  ])('%j', (header, text) => {
    expect(parseWarning(header)).toBe(text);
  });

  it.each(named('Warning header'))('corpus %s', (_id, { headers, expect: expected }) => {
    expect(parseWarning(headers?.Warning?.[0] ?? '') ?? '').toBe(expected.text);
  });
});

describe('Link', () => {
  it.each([
    ['</v2/x/tags/list?last=b&n=2>; rel="next"', '/v2/x/tags/list?last=b&n=2'],
    ['<https://r/v2/x/tags/list?n=1>;rel=next', 'https://r/v2/x/tags/list?n=1'],
    ['</first>; rel="first", </next>; title="a, b"; rel="prev next"', '/next'],
    ['</a>; rel="nextish"', undefined],
    ['</a>; anchor="rel=next"', undefined],
    ['</a>; rel="prev"', undefined],
    ['', undefined],
  ])('%s', (header, expected) => {
    expect(parseNextLink([header])).toBe(expected);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-24T06:00:00Z');
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Tue, 24 Nov 2026 06:00:30 GMT', 30_000],
    ['Tue, 24 Nov 2026 05:00:00 GMT', 0],
    ['soon', undefined],
    ['-5', undefined],
    ['2026', 2_026_000],
    [undefined, undefined],
  ])('%j', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});
