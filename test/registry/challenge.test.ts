import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Challenge,
  insufficientScope,
  parseChallenges,
  pickChallenge,
} from '../../src/registry/challenge.ts';
import { corpusJson } from '../support/corpora.ts';

interface AuthCase {
  id: string;
  op: string;
  input: string[];
  expect: {
    ok?: boolean | 'lenient';
    challenges?: Challenge[];
    paramsIgnored?: boolean;
    scheme?: string;
    retry?: boolean;
    scope?: string;
  };
}

const cases = corpusJson<{ cases: AuthCase[] }>('auth/auth-cases.json')?.cases ?? [];
const ofOp = (op: string): [string, AuthCase][] =>
  cases.filter((entry) => entry.op === op).map((entry) => [entry.id, entry]);
const plain = (challenges: Challenge[]): object[] =>
  challenges.map(({ scheme, params }) => ({ scheme, params: { ...params } }));

describe('parseChallenges', () => {
  it.each([
    [
      'a comma inside a quoted scope',
      ['Bearer realm="https://a/token",scope="repository:x:pull,push"'],
      [{ scheme: 'bearer', params: { realm: 'https://a/token', scope: 'repository:x:pull,push' } }],
    ],
    [
      'two schemes in one header, each with parameters (codeberg.org)',
      ['Bearer realm="https://c/v2/token",scope="*",Basic realm="https://c/v2",scope="*"'],
      [
        { scheme: 'bearer', params: { realm: 'https://c/v2/token', scope: '*' } },
        { scheme: 'basic', params: { realm: 'https://c/v2', scope: '*' } },
      ],
    ],
    [
      'several headers, one with a token68',
      ['Negotiate oYG2MIGz==', 'NTLM', 'Basic realm="x"'],
      [
        { scheme: 'negotiate', params: {} },
        { scheme: 'ntlm', params: {} },
        { scheme: 'basic', params: { realm: 'x' } },
      ],
    ],
    [
      'blanks around =, empty list elements',
      [', Bearer realm = "r" , , service= s ,'],
      [{ scheme: 'bearer', params: { realm: 'r', service: 's' } }],
    ],
    ['an open quote: nothing', ['Bearer realm="https://a'], []],
    [
      'the first of two parameters of one name',
      ['Basic realm=a,REALM=b'],
      [{ scheme: 'basic', params: { realm: 'a' } }],
    ],
    ['a parameter before any scheme: nothing', ['="x"'], []],
  ])('%s', (_name, headers, expected) => {
    expect(plain(parseChallenges(headers))).toEqual(expected);
  });

  it('does not touch prototypes', () => {
    const [challenge] = parseChallenges(['Bearer __proto__="x",realm="r"']);
    expect(challenge?.params.realm).toBe('r');
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it.each(ofOp('parseChallenge'))('corpus %s', (_id, { input, expect: expected }) => {
    const challenges = parseChallenges(input);
    if (expected.ok === false) {
      expect(challenges).toEqual([]);
    } else if (expected.paramsIgnored) {
      expect(challenges.map(({ scheme }) => scheme)).toEqual(
        expected.challenges?.map(({ scheme }) => scheme),
      );
    } else {
      expect(plain(challenges)).toEqual(expected.challenges);
    }
  });

  it('reads back every challenge the grammar can write', () => {
    const tokenText = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-z-]{1,12}$/);
    const value = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });
    const challenge = fc.record({
      scheme: tokenText,
      params: fc.uniqueArray(fc.tuple(tokenText, value), { selector: ([name]) => name, maxLength: 5 }),
    });
    const write = ({ scheme, params }: { scheme: string; params: [string, string][] }): string =>
      `${scheme} ${params.map(([name, text]) => `${name}="${text.replace(/["\\]/g, '\\$&')}"`).join(', ')}`;
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        const read = parseChallenges([challenges.map(write).join(', ')]);
        expect(read.map(({ scheme }) => scheme)).toEqual(challenges.map(({ scheme }) => scheme));
        expect(read.map(({ params }) => Object.entries(params).sort())).toEqual(
          challenges.map(({ params }) => [...params].sort()),
        );
      }),
    );
  });

  it('ends on any text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 200 })), (headers) => {
        parseChallenges(headers);
      }),
    );
  });
});

describe('pickChallenge', () => {
  it.each([
    [
      'Bearer before Basic, whatever the order',
      ['Basic realm="x", Bearer realm="https://a/token"'],
      'bearer',
    ],
    ['Basic when Bearer has no realm', ['Bearer, Basic realm="x"'], 'basic'],
    ['nothing it cannot do', ['Negotiate', 'Digest realm="x"'], undefined],
  ])('%s', (_name, headers, scheme) => {
    expect(pickChallenge(parseChallenges(headers))?.scheme).toBe(scheme);
  });

  it.each(ofOp('pickScheme'))('corpus %s', (_id, { input, expect: expected }) => {
    expect(pickChallenge(parseChallenges(input))?.scheme).toBe(expected.scheme);
  });
});

describe('insufficientScope', () => {
  it('is the scope a registry says is lacking', () => {
    const lacking = 'Bearer realm="r",scope="repository:a:pull",error="insufficient_scope"';
    expect(insufficientScope(parseChallenges([lacking]))).toBe('repository:a:pull');
    expect(
      insufficientScope(parseChallenges([lacking.replace('insufficient_scope', 'invalid_token')])),
    ).toBeUndefined();
  });

  it.each(ofOp('retryOn401'))('corpus %s', (_id, { input, expect: expected }) => {
    expect(insufficientScope(parseChallenges(input))).toBe(expected.retry ? expected.scope : undefined);
  });
});
