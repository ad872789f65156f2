// Measurements as Markdown, and their place in a document between two markers.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Measured } from './measure.ts';

/** The last one is ours; ratios are of its wall time. */
export function table(title: string, rows: Measured[]): string {
  const ours = rows.at(-1)?.wall ?? Number.NaN;
  const unit = ours < 1 ? { name: 'ms', factor: 1000, digits: 0 } : { name: 's', factor: 1, digits: 2 };
  const time = (seconds: number) => (seconds * unit.factor).toFixed(unit.digits);
  return [
    `### ${title}`,
    '',
    `| | wall, ${unit.name} | ratio | CPU, ${unit.name} | peak RSS, MB |`,
    '|---|---:|---:|---:|---:|',
    ...rows.map(
      ({ name, wall, cpu, peakRss }) =>
        `| ${name} | ${time(wall)} | ${(wall / ours).toFixed(2)} | ${time(cpu)} | ${Math.round(peakRss / 1e6)} |`,
    ),
  ].join('\n');
}

/** Puts `text` between `<!-- name -->` and `<!-- /name -->` of the file. */
export function replaceSection(file: string, name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const document = readFileSync(file, 'utf8');
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`${file} lacks the lines ${begin} and ${end}`);
  writeFileSync(file, `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`);
}
