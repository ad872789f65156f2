import { expect, test } from 'vitest';
import { formatTable, truncate } from '../../src/ui/table.ts';

const columns = [
  { title: 'NAME', flexible: true },
  { title: 'SIZE', align: 'right' as const },
];

test('columns are as wide as their content', () => {
  expect(
    formatTable(
      columns,
      [
        ['alpine', '2MB'],
        ['a', '162MB'],
      ],
      { width: 80 },
    ),
  ).toEqual(['NAME     SIZE', 'alpine    2MB', 'a       162MB']);
});

test('the flexible column gives way, and no line is wider than the terminal', () => {
  const lines = formatTable(
    columns,
    [
      ['x'.repeat(200), '162MB'],
      ['日本語のとても長い名前です'.repeat(9), '1B'],
    ],
    { width: 40 },
  );
  expect(lines[1]).toBe(`${'x'.repeat(32)}…  162MB`);
  expect(lines.every((line) => line.length <= 40)).toBe(true);
});

test('a cut text ends with an ellipsis', () => {
  expect(truncate('abcdef', 4)).toBe('abc…');
  expect(truncate('日本語', 4)).toBe('日…');
  expect(truncate('abc', 3)).toBe('abc');
});
