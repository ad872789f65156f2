// On a machine whose `node` is too old: in a clone the Node 26 of node_modules runs instead; elsewhere one clear line.
'use strict';
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { constants } = require('node:os');

/** Runs the same command line with the clone's own Node; says what to do when there is none. */
exports.runWithNewerNode = (root) => {
  const node = `${root}/node_modules/node/bin/node`;
  if (!existsSync(node)) {
    process.stderr.write(
      `error: ocitool needs Node 26 or newer; this is Node ${process.versions.node}\n` +
        'hint: install it from https://nodejs.org, or with: npm install --global node@26\n',
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both; the child decides when to end. Other signals are for it alone.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code === null ? 128 + (constants.signals[signal] || 0) : code;
  });
};
