// undici without what one transfer has no use for: its modules set up node:http2, node:http, node:assert and a second
// HTTP/1 parser when they are loaded, 20 of the 30 ms that takes. HTTP/2 is asked for nowhere (allowH2: false).
import type { Plugin } from 'esbuild';
import { type Patch, readPatched } from './patched.ts';

/** In many modules. */
const ASSERT = {
  from: "const assert = require('node:assert')",
  to: "const assert = (ok, message) => { if (!ok) require('node:assert')(ok, message) }",
};
const PATCHES: Patch[] = [
  {
    file: 'dispatcher/client.js',
    from: "const connectH2 = require('./client-h2.js')",
    to: "const connectH2 = (client, socket) => require('./client-h2.js')(client, socket)",
  },
  // Its limit of headers, which is always given here, and a class that no stream here is of.
  {
    file: 'dispatcher/client.js',
    from: "const http = require('node:http')",
    to: 'const http = { maxHeaderSize: 16384 }',
  },
  { file: 'core/util.js', from: "const { IncomingMessage } = require('node:http')", to: '' },
  {
    file: 'core/util.js',
    from: 'constructor === IncomingMessage',
    to: "constructor.name === 'IncomingMessage'",
  },
  // As undici says when it is bundled into Node: llhttp only.
  { file: 'dispatcher/client-h1.js', from: 'typeof esbuildDetection', to: "'string'" },
];

export const leanUndici: Plugin = {
  name: 'lean undici',
  setup({ onLoad }) {
    onLoad({ filter: /\/undici\/lib\/.*\.js$/ }, ({ path }) => ({
      contents: readPatched(path, PATCHES).replace(ASSERT.from, ASSERT.to),
    }));
  },
};
