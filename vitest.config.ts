import { availableParallelism, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Tests start the program, and their own threads, some hundred times: what is compiled once need not be again.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), `defender-relay-compiled-${userInfo().uid}`);

const isLong = process.env.LONG === 'yes';
/** The last one tries sixty times in the others' run, and a thousand times here. */
const long = ['test/**/*.long.test.ts', 'test/process/syslog-closing-peer.test.ts'];
if (isLong) process.env.SYSLOG_TRIES ??= '1000';

/** They start nothing and change nothing that others see: so they may share a process, which saves its start for each. */
const pure = ['bench', 'config', 'control', 'core', 'lib', 'observe', 'pipeline', 'scripts'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
const projects = [
  { name: 'pure', include: pure, exclude: ['test/**/*.long.test.ts'], isolate: false },
  { name: 'others', include: ['test/**/*.test.ts'], exclude: ['test/**/*.long.test.ts', ...pure] },
];

export default defineConfig({
  test: {
    // The long ones by themselves: `npm run test:long`.
    projects: (isLong ? [{ name: 'long', include: long }] : projects).map((test) => ({
      extends: true as const,
      test,
    })),
    // Says at the end which real peers were missing.
    globalSetup: ['test/peers/missing.ts'],
    // Some tests wait for other programs by the clock, and CI shares its machine.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // By default a machine with two cores would run one at a time, and most of them wait.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
