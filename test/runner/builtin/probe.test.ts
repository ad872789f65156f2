import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasTools } from '../../support/tools.ts';
import { canLaunch } from './launcher.ts';

const PROBE = join(import.meta.dirname, '../../../src/runner/builtin/probe.ts');
const SCRIPT = `import(${JSON.stringify(PROBE)}).then((m) => console.log(JSON.stringify(m.probeBuiltin())))`;

function probe(before: string[], flags: string[] = []): unknown {
  const [program, ...args] = [...before, process.execPath, ...flags, '-e', SCRIPT];
  return JSON.parse(spawnSync(program, args, { encoding: 'utf8' }).stdout);
}

it.runIf(canLaunch())('finds all it needs here, as root', () => {
  expect(probe([])).toEqual({ available: true, missing: [] });
});

it('says so where Node has no FFI', () => {
  expect(probe([], ['--no-experimental-ffi'])).toMatchObject({
    available: false,
    reason: expect.stringContaining('this Node has no node:ffi'),
  });
});

it.runIf(canLaunch() && hasTools('setpriv'))('says so where it may not mount', () => {
  expect(probe(['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'])).toMatchObject({
    available: false,
    reason: expect.stringContaining('must be root'),
  });
});
