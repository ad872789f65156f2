import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores; the tests that use real registries and worker threads share them.
    maxWorkers: 2,
    // For what hangs. A test of five seconds takes six times as long where ten others want the same processor.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What is waited for comes at once on a machine that is free, and this late on one that is not.
    expect: { poll: { timeout: 20_000 } },
    restoreMocks: true,
    unstubEnvs: true,
  },
});
