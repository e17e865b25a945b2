import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Says at the end which real peers were missing.
    globalSetup: ['test/peers/missing.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
