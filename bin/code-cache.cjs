// Where Node keeps what it has compiled. Compiled code is as good as code, and Node's own folder for it in /tmp may have
// been made by anybody; so it is one that is ours alone, or none.
'use strict';
const { lstatSync, mkdirSync } = require('node:fs');

/** Uses it from here on. Answers the folder, for other processes; undefined where there is none. */
exports.useCodeCache = function useCodeCache() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return process.env.NODE_COMPILE_CACHE;
  const uid = process.geteuid?.();
  if (uid === undefined) return undefined;
  const folder = `${process.env.TMPDIR || '/tmp'}/ocitool-code-${uid}`;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there already, or cannot be.
  }
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) return undefined;
  require('node:module').enableCompileCache(folder);
  return folder;
};
