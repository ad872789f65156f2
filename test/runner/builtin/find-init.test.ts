import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findStaticInit } from '../../../src/runner/builtin/find-init.ts';
import { hasTools } from '../../support/tools.ts';
import { canLaunch, type Launcher, startLauncher } from './launcher.ts';

/** What the machine has, wherever the search path leads. */
const elsewhere = findStaticInit('');

describe.runIf(hasTools('busybox'))('the search for an init', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'builtin-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('takes a static program only: another would not run in an image without its libraries', () => {
    const path = join(folder, 'catatonit');
    symlinkSync(process.execPath, path);
    expect(findStaticInit(folder)).toBe(elsewhere);
    rmSync(path);
    writeFileSync(path, '#!/bin/sh\n');
    expect(findStaticInit(folder)).toBe(elsewhere);
    rmSync(path);
    symlinkSync('/bin/busybox', path);
    expect(findStaticInit(`relative:${folder}`)).toBe(path);
  });
});

describe.runIf(canLaunch() && elsewhere !== undefined)('a container with an init', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await startLauncher();
  });
  afterAll(() => launcher.close());
  const options = { request: { init: true }, input: { init: elsewhere as string } };

  it('has it as pid 1, and ends with the code of its command', async () => {
    const outcome = await launcher.run(['sh', '-c', 'echo $$; cat /proc/1/cmdline; exit 5'], options);
    expect(outcome).toMatchObject({
      stdout: expect.stringMatching(/^[^1]\d*\n\/dev\/init\0/),
      exit: { code: 5 },
    });
  });

  it('ends on TERM without a handler, which pid 1 would not', async () => {
    // From inside, so that the init is there to get it.
    const outcome = await launcher.run(['sh', '-c', 'kill -TERM 1; exec sleep 600'], options);
    expect(outcome).toMatchObject({ exit: { code: 143 } });
  });
});
