import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { main } from '../../src/cli/index.ts';
import { start } from './child.ts';

const fixture = (name: string) => join(import.meta.dirname, '../fixtures', name);
const sinksOnly = fixture('config/good-sinks-only.yaml');
const alert = fixture('graph/mdi-golden-ticket.json');

/** Runs a command line in this process. */
async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  }
  const before = { stdout: process.stdout.listeners('error'), stderr: process.stderr.listeners('error') };
  const clean = () => {
    vi.restoreAllMocks();
    for (const name of ['stdout', 'stderr'] as const) {
      for (const listener of process[name].listeners('error'))
        if (!before[name].includes(listener)) process[name].off('error', listener as () => void);
    }
  };
  onTestFinished(clean);
  const exitCode = await main(args, () => expect.fail('it ended the process'));
  clean();
  return { exitCode, ...written };
}

describe('the command line', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await run('--version')).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('tells its commands', async () => {
    const { exitCode, stdout, stderr } = await run('--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const command of ['run', 'validate', 'show', 'preview', 'sinks', 'dead-letters', 'simulate', 'demo'])
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  it.each([
    ['run', '--config'],
    ['validate', '--json'],
    ['show', '--json'],
    ['preview', '--input'],
    ['simulate', '--faults'],
    ['simulate', '--refuse'],
    ['demo', '--for'],
  ])('explains %s', async (command, flag) => {
    const { exitCode, stdout } = await run(command, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(flag);
  });

  it('shows defaults as people write them', async () => {
    expect((await run('demo', '--help')).stdout).toMatch(/--for <duration> .*\(default: 30s\)/);
    expect((await run('simulate', '--help')).stdout).toMatch(/--port <n> .*\(default: any that is free\)/);
  });

  it('explains every fault', async () => {
    expect((await run('simulate', '--help')).stdout).toMatch(/Faults:[\s\S]*throttle/);
  });

  it.each([
    ['nothing', [], 'Usage: defender-relay'],
    ['an unknown command', ['jump'], "unknown command 'jump'"],
    ['an unknown flag', ['run', '--fast'], "unknown option '--fast'"],
    ['a flag without its value', ['run', '--config'], 'argument missing'],
    ['an argument too many', ['run', 'relay.yaml'], 'too many arguments'],
    ['a config that is not there', ['run', '--config', '/nowhere.yaml'], '/nowhere.yaml'],
    ['a config for preview that is not there', ['preview', '--config', '/nowhere.yaml'], '/nowhere.yaml'],
    [
      'a config that is bad',
      ['run', '--config', fixture('config/bad-everything.yaml')],
      'unknown key "maxSize"',
    ],
    ['a config that lacks what run needs', ['run', '--config', sinksOnly], 'tenants'],
    ['a limit that is no number', ['preview', '--limit', '1e3'], 'expected a whole number'],
    ['a limit below zero', ['preview', '--limit', '-1'], 'expected a whole number'],
    [
      'a sink that is not there',
      ['preview', '--config', sinksOnly, '--input', alert, '--sink', 'x'],
      '--sink x',
    ],
    ['an input that is not there', ['preview', '--config', sinksOnly, '--input', '/nowhere'], '/nowhere'],
    ['an input that is no JSON', ['preview', '--config', sinksOnly, '--input', sinksOnly], 'is not JSON'],
    ['a rate of nothing', ['simulate', '--rate', '0'], 'expected a number above 0'],
    ['a rate that is no number', ['simulate', '--rate', 'NaN'], 'expected a number above 0'],
    ['an unknown fault', ['simulate', '--faults', 'earthquake'], '--faults: '],
    ['a probability above one', ['simulate', '--faults', 'throttle=7'], '--faults: '],
    ['an unknown refusal', ['simulate', '--refuse', 'secret-expried'], 'did you mean "secret-expired"'],
    ['a quota that is neither', ['simulate', '--quota', 'maybe'], 'Allowed choices are on, off'],
    ['a port that cannot be', ['simulate', '--port', '99999'], 'expected a port, 1 to 65535'],
    ['a demo without alerts', ['demo', '--alerts', '0'], 'expected at least 1'],
    ['a duration without a unit', ['demo', '--for', '30'], 'expected a duration'],
    ['sinks without a command', ['sinks'], 'Usage: defender-relay sinks'],
    ['a sink to forget that is not named', ['sinks', 'forget'], "missing required argument 'name'"],
    ['dead letters that are not said', ['dead-letters', 'drop', '--config', sinksOnly], 'say which'],
    ['a duration of nothing', ['demo', '--for', '0s'], 'at least a second'],
  ])('ends with 2 at %s, and says it on standard error', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    // For people: no stack.
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('ends with 0 when all is well', async () => {
    const { exitCode, stdout, stderr } = await run('preview', '--config', sinksOnly, '--input', alert);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^CEF:0\|/);
  });

  it('shows what nobody foresaw with its stack, and ends with 1', async () => {
    const run = main(['preview', '--config', sinksOnly, '--input', alert], () => {});
    vi.spyOn(process.stdout, 'write').mockImplementation(() => {
      throw new TypeError('a bug');
    });
    let errors = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      errors += String(text);
      return true;
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const exitCode = await run;
    vi.restoreAllMocks();
    expect(exitCode).toBe(1);
    expect(errors).toMatch(/^defender-relay: TypeError: a bug\n\s+at /);
  });

  it.skipIf(!existsSync('/dev/full'))('ends with 1 when its output cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const program = join(import.meta.dirname, '../../src/main.ts');
    const args = [program, 'preview', '--config', sinksOnly, '--input', alert];
    const { status, stderr } = spawnSync(process.execPath, args, {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^defender-relay: cannot write to standard output: ENOSPC.*\n$/);
    expect(status).toBe(1);
  });

  it('takes it calmly when its reader has read enough (`| head`)', async () => {
    const program = start(['preview', '--config', sinksOnly, '--input', '-', '--limit', '20000']);
    program.child.stdout!.once('data', () => program.child.stdout!.destroy());
    program.child.stdin!.end(`${JSON.stringify(JSON.parse(readFileSync(alert, 'utf8')))}\n`.repeat(500));
    expect(await program.ended).toEqual([0, null]);
    expect(program.stderr).toBe('');
  });
});
