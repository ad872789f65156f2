// A folder of settings files for one test, written by their names.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export interface SettingsFolder {
  /** Another one for each test. */
  readonly path: string;
  /** Writes a file, and the folders it is in; its path. */
  write(name: string, text: string): string;
}

/** For the tests of the file that calls this. */
export function settingsFolder(): SettingsFolder {
  let path = '';
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'settings-'));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
    write(name, text) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
  };
}
