import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { aDirectory } from '../journal/harness.ts';

const PROGRAM = fileURLToPath(new URL('outage-program.ts', import.meta.url));
const HEAP_MIB = 32;
const RECORDS = 5_000;
const RECORD_BYTES = 10_000;

it('Q6: memory does not grow with what waits: all that was read while the sink was dead arrives', async () => {
  using directory = aDirectory();
  // Kept in memory it would be half as much again as the heap may hold, and end the program.
  expect(RECORDS * RECORD_BYTES).toBeGreaterThan(1.4 * HEAP_MIB * 2 ** 20);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`--max-old-space-size=${HEAP_MIB}`, PROGRAM, directory.state, `${RECORDS}`, `${RECORD_BYTES}`],
    { timeout: 25_000, killSignal: 'SIGKILL' },
  );
  const { arrived, pending, external } = JSON.parse(stdout);
  expect({ arrived, pending }).toEqual({ arrived: RECORDS, pending: 0 });
  expect(external).toBeLessThan(HEAP_MIB * 2 ** 20);
});
