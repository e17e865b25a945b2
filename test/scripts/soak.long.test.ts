import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../../scripts/soak/index.ts');

it('Q6: 30,000 records wait for a receiver that is away: memory stays small, another one is served, and all arrive in order', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, '--backlog', '30000', '--json'], {
    timeout: 120_000,
    killSignal: 'SIGTERM',
  });
  expect(JSON.parse(stdout)).toMatchObject({ isWell: true, problems: [] });
}, 130_000);
