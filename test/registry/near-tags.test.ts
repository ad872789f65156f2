import { expect, it } from 'vitest';
import { nearTags } from '../../src/registry/near-tags.ts';

const tags = ['latest', '3.18', '3.19', '3.20', '3.20.1', '3.20.2', 'edge', '20240315', 'slim-bookworm'];

it.each([
  ['lastest', ['latest']],
  ['latset', ['latest']],
  ['3.21', ['3.20']],
  ['3.2', ['3.20', '3.20.1', '3.20.2']],
  ['3.20.1-alpine', ['3.20', '3.20.1']],
  ['slim-bookwurm', ['slim-bookworm']],
  ['EDGE', ['edge']],
  ['nonsense', []],
])('%s', (wanted, expected) => {
  expect(nearTags(wanted, tags).sort()).toEqual([...expected].sort());
});

it('names the nearest first, and five at most', () => {
  const many = Array.from({ length: 100 }, (_, index) => `v1.${index}`);
  const near = nearTags('v1.1', ['v1.1.0', ...many]);
  expect(near).toHaveLength(5);
  expect(near[0]).toBe('v1.1');
});
