// Measurements as Markdown, and their place in a document between two markers.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Measured } from './measure.ts';

/** One line of the summary: what was to be reached, and what was. */
export interface Verdict {
  job: string;
  against: string;
  measured: string;
  toReach: string;
  reached: boolean;
  /** Our wall time by the floor's. */
  overFloor?: number | undefined;
}

/** A part of the benchmark, done. */
export interface Outcome {
  text: string;
  verdicts: Verdict[];
}

/** Markdown without padding: the formatter of the docs aligns it. The first column is text, the others are numbers. */
export function grid(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n');
}

/** One job by everybody who does it. */
export function comparison(title: string, measured: Measured[], note = ''): Outcome {
  const ours = measured.findLast(({ role }) => role === 'ours');
  if (ours === undefined) throw new Error(`nothing of ours in: ${title}`);
  const floor = measured.find(({ role }) => role === 'floor');
  const inMs = ours.wall < 1;
  const time = (seconds: number) => (inMs ? (seconds * 1000).toFixed(0) : seconds.toFixed(2));
  const unit = inMs ? 'ms' : 's';
  const rows = measured.map((one) => [
    one.name,
    String(one.runs),
    time(one.wall),
    time(one.cpu),
    String(Math.round(one.peakRss / 1e6)),
    (ours.wall / one.wall).toFixed(2),
    one.goal === undefined ? '' : `≤ ${one.goal}`,
  ]);
  const head = [
    '',
    'runs',
    `wall, ${unit}`,
    `CPU, ${unit}`,
    'peak RSS, MB',
    'ocitool takes of it',
    'to reach',
  ];
  return {
    text: [`### ${title}`, ...(note === '' ? [] : [note]), grid(head, rows)].join('\n\n'),
    verdicts: measured.flatMap(({ name, wall, goal }) =>
      goal === undefined
        ? []
        : [
            {
              job: title,
              against: name,
              measured: (ours.wall / wall).toFixed(2),
              toReach: `≤ ${goal}`,
              reached: ours.wall / wall <= goal,
              overFloor: floor && ours.wall / floor.wall,
            },
          ],
    ),
  };
}

/** Everybody by the first, which is the least there is. */
export function listing(title: string, measured: Measured[]): string {
  const least = measured[0]?.wall ?? Number.NaN;
  const rows = measured.map(({ name, wall, cpu, peakRss, runs }) => [
    name,
    String(runs),
    (wall * 1000).toFixed(0),
    (cpu * 1000).toFixed(0),
    String(Math.round(peakRss / 1e6)),
    (wall / least).toFixed(2),
  ]);
  const head = ['', 'runs', 'wall, ms', 'CPU, ms', 'peak RSS, MB', 'times the first'];
  return [`### ${title}`, grid(head, rows)].join('\n\n');
}

export function summary(verdicts: Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    verdict.job,
    verdict.against,
    verdict.measured,
    verdict.toReach,
    verdict.reached ? 'yes' : '**no**',
    verdict.overFloor?.toFixed(2) ?? '',
  ]);
  return grid(['', 'against', 'measured', 'to reach', 'reached', 'times the floor'], rows);
}

/** Puts `text` between `<!-- name -->` and `<!-- /name -->` of the file. */
export function replaceSection(file: string, name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const document = readFileSync(file, 'utf8');
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`${file} lacks the lines ${begin} and ${end}`);
  writeFileSync(file, `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`);
}
