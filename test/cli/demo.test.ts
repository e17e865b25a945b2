import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { demoCommand } from '../../src/cli/demo.ts';
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
    const [, alerts, changes] = /^raised .*: (\d+) alerts and (\d+) later changes/m.exec(stdout) ?? [];
    expect(Number(alerts)).toBe(6);
    expect(count(stdout, 'missing')).toBe(0);
    expect(count(stdout, 'duplicates')).toBe(0);
    // In one unit, so that anybody can add it up.
    expect(count(stdout, 'raised')).toBe(6 + Number(changes));
    expect(count(stdout, 'journaled')).toBe(count(stdout, 'raised') - count(stdout, 'overtaken'));
    expect(count(stdout, 'delivered')).toBe(count(stdout, 'journaled'));
    expect(count(stdout, 'received')).toBe(count(stdout, 'delivered'));
    const events = stdout.match(/^CEF:0\|.*$/gm) ?? [];
    expect(stdout).toMatch(new RegExp(`^received .* in ${events.length} events`, 'm'));
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
    expect(program.stdout).toMatch(/\nEnded early, by a signal\. Every alert raised until then arrived\.\n$/);
    expect(program.stderr).toBe('');
    expect(left()).toEqual([]);
  });

  it('cuts lines to the width of a terminal, and says once where they are whole', async () => {
    const stdout = Object.assign(new PassThrough({ highWaterMark: 2 ** 30 }), { isTTY: true, columns: 60 });
    const stderr = new PassThrough();
    const io = { stdin: process.stdin, stdout, stderr, env: {}, exit: () => expect.fail('it ended') };
    expect(await demoCommand({ for: 1_000, alerts: 3 }, io)).toBe(0);
    stdout.end();
    const lines = stripVTControlCharacters((await stdout.toArray()).join('')).split('\n');
    const events = lines.filter((line) => line.startsWith('CEF:0|'));
    expect(events.length).toBeGreaterThanOrEqual(3);
    for (const line of events) {
      expect(line).toMatch(/…$/);
      expect(line.length).toBeLessThanOrEqual(60);
    }
    expect(lines.filter((line) => line.includes('they are whole'))).toHaveLength(1);
  });
});
