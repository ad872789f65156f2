// A container's monitor (src/runner/monitor.ts), a process of its own.
'use strict';
require('./code-cache.cjs').load(`${__dirname.slice(0, -'/bin'.length)}/dist/bundle/monitor.cjs`, 'monitor');
