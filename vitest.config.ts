import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Real servers and databases: two at a time is what small machines carry without false time-outs.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
