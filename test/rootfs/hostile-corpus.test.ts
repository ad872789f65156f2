// The hostile layers of the corpus, each unpacked by a process of its own inside bwrap, where anything that gets out
// of the destination shows.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { corpus } from '../support/corpora.ts';

function has(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log(`SKIPPED hostile layers: no ${command}`);
    return false;
  }
}

const hostile = corpus('tar-hostile');
const harness = corpus('harness');
const ready = hostile !== undefined && harness !== undefined && has('python3') && has('bwrap');

describe.skipIf(!ready)('hostile layers', () => {
  it('all end as they should, and none gets out', () => {
    const work = mkdtempSync(join(tmpdir(), 'hostile-'));
    try {
      const report = join(work, 'report.json');
      const cli = resolve(import.meta.dirname, '../support/extract-cli.ts');
      const output = execFileSync(
        'python3',
        [
          join(harness as string, 'run_tar_cases.py'),
          join(hostile as string, 'cases.json'),
          join(hostile as string, 'tars'),
          ...['--sandbox', join(work, 'sandbox'), '--json', report],
          // The sandbox has a /tmp of its own, and this checkout may lie below the real one.
          ...['--also-bind', resolve(import.meta.dirname, '../..')],
          ...['--cmd', `${process.execPath} ${cli} {root} {layers}`],
        ],
        { encoding: 'utf8' },
      );
      const results = JSON.parse(readFileSync(report, 'utf8')) as Array<{
        id: string;
        verdict: string;
        breach: boolean;
      }>;
      expect(results.length).toBeGreaterThan(0);
      expect(
        results.filter(({ verdict, breach }) => verdict !== 'pass' || breach),
        output,
      ).toEqual([]);
    } finally {
      removeTree(work);
    }
  }, 300_000);
});
