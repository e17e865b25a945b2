import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { start } from './child.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('simulate', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('prints where it is, and ends well at %s', async (signal) => {
    const dir = folder();
    const program = start(['simulate', '--dir', join(dir, 'new'), '--alerts', '3', '--quota', 'off']);
    await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('defender-relay run --config');
    const url = /https:\/\/127\.0\.0\.1:\d+/.exec(program.stdout)![0];
    // No escape sequences into a pipe, and each path is one that is there.
    expect(program.stdout).not.toContain('\u001b');
    const ca = readFileSync(/\S+ca\.pem/.exec(program.stdout)![0], 'utf8');
    expect(existsSync(/\S+relay\.yaml/.exec(program.stdout)![0])).toBe(true);
    const account = await new Promise<string>((resolve, reject) => {
      get(`${url}/simulator/account`, { ca, agent: false }, (answer) => resolve(text(answer))).on(
        'error',
        reject,
      );
    });
    expect(JSON.parse(account)).toHaveProperty('raised');
    program.child.kill(signal);
    expect(await program.ended).toEqual([0, null]);
    expect(program.stderr).toBe('');
  });

  it('says for people why it cannot write its files, and ends', async () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    const program = start(['simulate', '--dir', file]);
    expect(await program.ended).toEqual([2, null]);
    expect(program.stderr).toMatch(/^--dir .*file: EEXIST.*\n$/);
  });
});
