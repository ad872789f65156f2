import { expect, test } from 'vitest';
import { chainIds } from '../../src/manifest/chain-id.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { corpusJson } from '../support/corpora.ts';

test('each chain ID hashes the one below and the diff ID (image-spec config.md)', () => {
  const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')];
  const ab = digestOf(`${a} ${b}`);
  expect(chainIds([a, b, c])).toEqual([a, ab, digestOf(`${ab} ${c}`)]);
});

const cases =
  corpusJson<{ cases: { input: Digest[]; expect: { chainIDs: Digest[] } }[] }>('digests/chainid-cases.json')
    ?.cases ?? [];

test.skipIf(cases.length === 0)('the cases of image-spec', () => {
  for (const { input, expect: want } of cases) expect(chainIds(input)).toEqual(want.chainIDs);
});
