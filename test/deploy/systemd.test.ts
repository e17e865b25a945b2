import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { start } from '../cli/child.ts';
import { whyMissing } from '../peers/missing.ts';
import { testFolder } from '../support/folder.ts';
import { notifySocket } from '../support/notify-socket.ts';
import { root } from './stand-in.ts';

const TIMEOUT = { timeout: 20_000 };
const relayToStdout = "sinks: [{ name: console, type: stdout }]\nserver: { listen: 'off' }\n";

const unit = join(root, 'deploy/systemd/defender-relay.service');

/** A unit of the same name with something changed. */
function changed(...[from, to]: readonly [string, string]): string {
  const text = readFileSync(unit, 'utf8');
  expect(text).toContain(from);
  const file = join(testFolder(), 'defender-relay.service');
  writeFileSync(file, text.replace(from, to));
  return file;
}

/** It says what is wrong on standard error, and succeeds all the same. */
const verify = (file: string) => spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });

/** Times ten; succeeds when the unit is exposed less than that. */
const exposed = (file: string, threshold: number) =>
  spawnSync('systemd-analyze', ['security', '--offline=true', `--threshold=${threshold}`, file], {
    encoding: 'utf8',
  });

describe.skipIf(whyMissing('systemd'))('the systemd unit (skipped without systemd-analyze)', () => {
  it('has nothing that systemd finds', () => {
    // Where Node is on this machine: a program that is missing would be found.
    expect(verify(changed('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`))).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(verify(changed('ProtectHome=', 'ProtectHomes=')).stderr).toContain('ProtectHomes');
  });

  it('is exposed to less than 1.5 of 10', () => {
    expect(exposed(unit, 15)).toMatchObject({ status: 0 });
    expect(exposed(changed('CapabilityBoundingSet=\n', '\n'), 15).status).not.toBe(0);
  });

  it('makes the user that it runs as', () => {
    const sysusers = join(root, 'deploy/systemd/sysusers.conf');
    const { status, stdout, stderr } = spawnSync(
      'systemd-sysusers',
      ['--dry-run', '--inline', readFileSync(sysusers, 'utf8').trim()],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout + stderr).toContain("'defender-relay'");
    expect(readFileSync(unit, 'utf8')).toContain('\nUser=defender-relay\n');
  });

  it('hears from the relay when it is ready and when it ends', async () => {
    const systemd = await notifySocket();
    const simulator = await startSimulator({ alerts: 1 });
    onTestFinished(() => simulator.close());
    const { config } = await writeSimulatorFiles(testFolder(), simulator, relayToStdout);
    const relay = start(['run', '--config', config], { env: systemd.env });
    await expect.poll(() => systemd.told('READY=1'), TIMEOUT).toBe(1);
    expect(systemd.told('STOPPING=1')).toBe(0);
    relay.child.kill('SIGTERM');
    expect(await relay.ended, relay.stderr).toEqual([0, null]);
    await expect.poll(() => systemd.told('STOPPING=1'), TIMEOUT).toBe(1);
  });
});
