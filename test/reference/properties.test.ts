import fc from 'fast-check';
import { expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { familiarReference, formatReference, parseReference } from '../../src/reference/reference.ts';
import { isRegistry } from '../../src/reference/registry-host.ts';

const component = fc.stringMatching(/^[a-z0-9]{1,4}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
const registry = fc.constantFrom(
  'docker.io',
  'ghcr.io',
  'localhost',
  'localhost:5000',
  'HOST',
  '[::1]:80',
  '10.0.0.1',
  'a-b.c:1',
);
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
const digest = fc.string().map((text) => digestOf(text));

const name = fc
  .record({
    registry: fc.option(registry, { nil: undefined }),
    path: fc.array(component, { minLength: 1, maxLength: 4 }),
    tag: fc.option(tag, { nil: undefined }),
    digest: fc.option(digest, { nil: undefined }),
  })
  .map(
    (parts) =>
      (parts.registry === undefined ? '' : `${parts.registry}/`) +
      parts.path.join('/') +
      (parts.tag === undefined ? '' : `:${parts.tag}`) +
      (parts.digest === undefined ? '' : `@${parts.digest}`),
  )
  // a first component with a dot is read as a host, and not every such host can be: `0.0__a`
  .filter((text) => !/^[^/:]*\.[^/]*\//.test(text) || isRegistry(text.slice(0, text.indexOf('/'))));

const almostName = fc
  .tuple(name, fc.nat(), fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }))
  .map(([text, at, junk]) => {
    const position = at % (text.length + 1);
    return text.slice(0, position) + junk + text.slice(position);
  });

it('both forms parse back to the same reference', () => {
  fc.assert(
    fc.property(name, (text) => {
      const reference = parseReference(text);
      expect(parseReference(formatReference(reference))).toEqual(reference);
      expect(parseReference(familiarReference(reference))).toEqual(reference);
    }),
  );
});

it('whatever the text, the answer is a reference that formats stably or an OciError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), almostName), (text) => {
      try {
        const full = formatReference(parseReference(text));
        expect(formatReference(parseReference(full))).toBe(full);
      } catch (error) {
        expect(error).toBeInstanceOf(OciError);
        expect(error).toMatchObject({ code: 'INVALID_REFERENCE', hint: expect.any(String) });
      }
    }),
    { numRuns: 1000 },
  );
});

it('a long hostile name is refused at once', () => {
  for (const text of [
    'a-'.repeat(100_000),
    'a.'.repeat(100_000),
    `${'1'.repeat(100_000)}!`,
    '['.repeat(100_000),
  ]) {
    expect(() => parseReference(`${text}/x`)).toThrow(OciError);
    expect(() => parseReference(text)).toThrow(OciError);
  }
});
