// A column printer: as wide as it needs to be, never wider than the terminal (80 columns elsewhere).
import { printable } from './format.ts';

/** One column. */
export interface Column {
  title: string;
  /** Numbers read best on the right. Default left. */
  align?: 'left' | 'right';
  /** Gives way when the line is too long, and is cut with `…`; of several the widest first. */
  flexible?: boolean;
}

/** Options of a table. */
export interface TableOptions {
  /** Columns of the terminal; Infinity never cuts. */
  width: number;
}

const GAP = '  ';

/** The table as lines, the titles first. */
export function formatTable(columns: Column[], rows: string[][], options: TableOptions): string[] {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  // Once for each cell: a table of 10,000 images has 60,000.
  const own = cells.map((row) => row.map(displayWidth));
  const widths = columns.map((_, i) => own.reduce((most, row) => Math.max(most, row[i] ?? 0), 0));
  let excess = widths.reduce((sum, width) => sum + width, GAP.length * (columns.length - 1)) - options.width;
  for (; excess > 0; excess -= 1) {
    const widest = widestFlexible(columns, widths);
    if (widest === undefined) break;
    widths[widest]! -= 1;
  }
  return cells.map((row, at) =>
    columns
      .map(({ align }, i) => pad(row[i] ?? '', own[at]?.[i] ?? 0, widths[i] ?? 0, align))
      .join(GAP)
      .trimEnd(),
  );
}

/** Nothing can be read in less. */
const MIN_WIDTH = 8;

/** The flexible column that has most to give; undefined when none has any more. */
function widestFlexible(columns: Column[], widths: number[]): number | undefined {
  let widest: number | undefined;
  columns.forEach((column, i) => {
    const width = widths[i] ?? 0;
    if (column.flexible === true && width > MIN_WIDTH && width > (widths[widest ?? -1] ?? 0)) widest = i;
  });
  return widest;
}

/** `text` in at most `width` columns, the end replaced by `…` when it is longer. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (isPlain(text)) return `${text.slice(0, Math.max(0, width - 1))}…`;
  let used = 0;
  let result = '';
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    result += character;
  }
  return `${result}…`;
}

/** `own`: the text's own width. */
function pad(text: string, own: number, width: number, align: Column['align']): string {
  const cut = own > width ? truncate(text, width) : text;
  const space = ' '.repeat(Math.max(0, width - (cut === text ? own : displayWidth(cut))));
  return align === 'right' ? space + cut : cut + space;
}

/** Terminal columns: two for East Asian wide characters and emoji, none for combining marks. */
function displayWidth(text: string): number {
  if (isPlain(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** A column for each unit, as nearly every cell has: looking at each character takes many times as long. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e\u2026]*$/.test(text);
}

function characterWidth(character: string): number {
  if (/\p{Mark}/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    character,
  )
    ? 2
    : 1;
}
