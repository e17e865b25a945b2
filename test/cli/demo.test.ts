import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { start } from './child.ts';

/** The demo in a folder for temporary files of its own, to see what it leaves there. */
function demo(...args: string[]) {
  const temp = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
  const program = start(['demo', ...args], { env: { TMPDIR: temp } });
  return { program, left: () => readdirSync(temp).filter((name) => name.startsWith('defender-relay')) };
}

const count = (summary: string, name: string) =>
  Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(summary)?.[1]);

describe('demo', () => {
  it('delivers all that is raised, shows it, and accounts for it', async () => {
    const { program, left } = demo('--for', '3s', '--alerts', '6');
    expect(await program.ended).toEqual([0, null]);
    const { stdout } = program;
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toMatch(
      /^# Microsoft Graph, simulated at https:\/\/127\.0\.0\.1:\d+, to a syslog receiver at /,
    );
    expect(count(stdout, 'raised')).toBe(6);
    expect(count(stdout, 'missing')).toBe(0);
    expect(count(stdout, 'duplicates')).toBe(0);
    // Every record that was kept was delivered; a change may have been replaced by the next before a poll.
    expect(count(stdout, 'delivered')).toBe(count(stdout, 'journaled'));
    expect(count(stdout, 'delivered')).toBeGreaterThanOrEqual(6);
    const events = stdout.match(/^CEF:0\|.*$/gm) ?? [];
    expect(events).toHaveLength(count(stdout, 'received'));
    expect(new Set(events.map((event) => /externalId=(\S+)/.exec(event)?.[1])).size).toBe(6);
    expect(stdout).toMatch(/\nEvery alert arrived\.\n$/);
    expect(left()).toEqual([]);
  });

  it('raises no more at a signal, delivers what it has raised, and leaves nothing behind', async () => {
    const { program, left } = demo('--for', '10m');
    await expect.poll(() => program.stdout, { timeout: 20_000 }).toMatch(/^CEF:0\|/m);
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual([0, null]);
    expect(count(program.stdout, 'delivered')).toBeGreaterThan(0);
    expect(program.stdout).toMatch(/\nEvery alert arrived\.\n$/);
    expect(program.stderr).toBe('');
    expect(left()).toEqual([]);
  });
});
