import { describe, expect, it } from 'vitest';
import {
  cleanScopes,
  coversScopes,
  repositoryScope,
  splitScopes,
  withNeeds,
} from '../../src/registry/scope.ts';
import { corpusJson } from '../support/corpora.ts';

interface ScopeCase {
  id: string;
  op: string;
  input: string[];
  expect: { scopes: string[] };
}

const cases = (corpusJson<{ cases: ScopeCase[] }>('auth/auth-cases.json')?.cases ?? []).filter(
  ({ op }) => op === 'cleanScopes',
);

describe('scopes', () => {
  it.each(cases.map((entry) => [entry.id, entry] as const))(
    'corpus %s',
    (_id, { input, expect: expected }) => {
      expect(cleanScopes(input)).toEqual(expected.scopes);
    },
  );

  it('of other forms stay as they are: ECR Public’s aws, Forgejo’s *', () => {
    expect(splitScopes('aws')).toEqual(['aws']);
    expect(splitScopes('*')).toEqual(['*']);
    expect(splitScopes(undefined)).toEqual([]);
  });

  it('of a name with a port keep the port with the name', () => {
    expect(cleanScopes(['repository:host:5000/a:push', 'repository:host:5000/a:pull'])).toEqual([
      'repository:host:5000/a:pull,push',
    ]);
  });

  it('cover what they contain and no more', () => {
    const held = cleanScopes([repositoryScope('a', 'push')]);
    expect(coversScopes(held, ['repository:a:pull'])).toBe(true);
    expect(coversScopes(held, ['repository:b:pull'])).toBe(false);
    expect(coversScopes(['repository:a:*'], ['repository:a:delete'])).toBe(true);
    expect(coversScopes(['repository:a:pull'], ['repository:a:*'])).toBe(false);
  });
});

describe('one token for a push', () => {
  const push = ['repository:a/b:pull,push'];
  it('whose HEAD was challenged for pull alone', () => {
    expect(withNeeds(['repository:a/b:pull'], push)).toEqual(['repository:a/b:pull,push']);
  });
  it('but nothing is added to what a server calls by names of its own', () => {
    expect(withNeeds(['aws'], push)).toEqual(['aws']);
  });
  it('and all that is needed where the challenge names nothing', () => {
    expect(withNeeds([], push)).toEqual(push);
  });
});
