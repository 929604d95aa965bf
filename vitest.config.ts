import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Long waits are rare; false time-outs on a busy machine are what this is against.
    testTimeout: 40_000,
    hookTimeout: 30_000,
    // Real servers and databases: two at a time is what small machines carry without false time-outs.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
