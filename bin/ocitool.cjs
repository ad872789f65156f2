#!/usr/bin/env node
// Start: is this Node new enough, is only the version wanted, then the command line. Kept readable for any old Node, and
// CommonJS: the ES loader and the first `import` of node:fs take 10 ms.
'use strict';
const { readFileSync } = require('node:fs');
const { dirname } = require('node:path');

const root = dirname(__dirname);
const argv = process.argv.slice(2);

// These get a small nursery: downloads leave a 64 KiB buffer behind with every read, which a larger one only collects
// later. A pull of 450 MB peaks at 115 instead of 175 MB and takes 10 % less CPU. Others build trees, which it slows.
const TRANSFERS = new Set(['pull', 'push', 'copy', 'unpack', 'serve']);

const supported = Number.parseInt(process.versions.node, 10) >= 26;
// Before all that takes time: it starts while this process does.
const monitor =
  supported && argv[0] === 'run'
    ? require('../dist/bundle/early-monitor.cjs').startEarly(argv.slice(1), `${root}/bin/monitor.cjs`)
    : undefined;

// `ocitool … | head`: the reader has enough, which is no error.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode || 0);
  throw error;
});
process.stderr.on('error', () => {});

if (!supported) {
  require('./newer-node.cjs').runWithNewerNode(root);
} else if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
  process.stdout.write(`ocitool ${version}\n`);
} else {
  if (TRANSFERS.has(argv[0])) require('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
  const { load } = require('./code-cache.cjs');
  load(`${root}/dist/bundle/main.cjs`, /^[a-z]+$/.test(argv[0]) ? argv[0] : 'other').main(
    argv,
    root,
    monitor,
  );
}
