// Compiled code, kept from one run to the next. Node's own cache has what is compiled while a file is loaded, but not the
// functions that are called later, which take a command 10 to 15 ms; so what a command has compiled is kept at its end.
// It is as good as code, and anybody may make a folder in /tmp: it is kept in one that is ours alone, or not at all.
'use strict';
const fs = require('node:fs');
const Module = require('node:module');
const { basename, dirname, join } = require('node:path');
const vm = require('node:vm');

/** Files of the folder, of some hundred KB each; more are of versions that are gone. */
const MOST = 100;

/**
 * Runs the CommonJS file `path`, and what it requires from its own folder. Answers its exports. What it compiles is kept
 * for the next run with the same `purpose`, a word.
 */
exports.load = function load(path, purpose) {
  const folder = codeFolder();
  const toKeep = [];

  function run(filename) {
    const kept = folder && join(folder, nameOf(filename, purpose));
    const cachedData = kept && readIfThere(kept);
    const script = new vm.Script(Module.wrap(fs.readFileSync(filename, 'utf8')), {
      filename,
      cachedData,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    if (kept && (cachedData === undefined || script.cachedDataRejected)) {
      if (cachedData !== undefined) fs.rmSync(kept, { force: true });
      toKeep.push({ kept, script });
    }
    const module = Object.assign(new Module(filename), { filename, loaded: true });
    // However it is required, it is the same.
    Module._cache[filename] = module;
    const plain = Module.createRequire(filename);
    const folderOfFile = dirname(filename);
    const beside = (id) => {
      if (!/^\.\/[\w-]+\.cjs$/.test(id)) return plain(id);
      const other = join(folderOfFile, id);
      return Module._cache[other]?.exports ?? run(other);
    };
    const whole = script.runInThisContext();
    whole(module.exports, Object.assign(beside, plain), module, filename, folderOfFile);
    return module.exports;
  }

  // A command that failed has not come far. The files it requires later are in the list by then; of many commands at once
  // the first is enough.
  process.once('exit', (code) => {
    if (code !== 0) return;
    for (const { kept, script } of toKeep) if (!fs.existsSync(kept)) keep(kept, script.createCachedData());
  });
  return run(path);
};

/** The folder; undefined where there is none, or options of Node's make other code of the same text. */
function codeFolder() {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE, NODE_OPTIONS, TMPDIR } = process.env;
  if (process.execArgv.length > 0 || NODE_OPTIONS || NODE_DISABLE_COMPILE_CACHE) return undefined;
  const uid = process.geteuid?.();
  if (uid === undefined) return undefined;
  const folder = join(NODE_COMPILE_CACHE || TMPDIR || '/tmp', `ocitool-code-${uid}`);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there already, or cannot be.
  }
  const found = fs.lstatSync(folder, { throwIfNoEntry: false });
  const ours = found?.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0;
  return ours ? folder : undefined;
}

/** V8 looks at the length of the text only. Whatever changes a file changes its ctime. */
function nameOf(path, purpose) {
  const { dev, ino, size, ctimeMs } = fs.statSync(path);
  return [basename(path, '.cjs'), purpose, process.version, dev, ino, size, ctimeMs].join('_');
}

function readIfThere(path) {
  try {
    return fs.readFileSync(path);
  } catch {
    return undefined;
  }
}

/** On disk before it has its name: V8 believes what it is given. */
function keep(path, code) {
  const unfinished = `${path}_${process.pid}`;
  try {
    const file = fs.openSync(unfinished, 'wx', 0o600);
    try {
      fs.writeFileSync(file, code);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(unfinished, path);
    makeRoom(dirname(path));
  } catch {
    fs.rmSync(unfinished, { force: true });
  }
}

function makeRoom(folder) {
  const files = fs.readdirSync(folder).map((name) => join(folder, name));
  if (files.length <= MOST) return;
  const ages = new Map(files.map((file) => [file, fs.lstatSync(file).mtimeMs]));
  const oldestFirst = files.sort((a, b) => ages.get(a) - ages.get(b));
  for (const file of oldestFirst.slice(0, -MOST)) fs.unlinkSync(file);
}
