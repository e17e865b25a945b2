import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { start } from './child.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What a simulator answers to whoever trusts `ca`. */
function account(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${url}/simulator/account`, { ca, agent: false }, (answer) => resolve(text(answer))).on(
      'error',
      reject,
    );
  });
}

/** Starts a simulator that writes its files into `dir`; gives its address. */
async function simulating(dir: string) {
  const program = start(['simulate', '--dir', dir, '--alerts', '1']);
  await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('defender-relay run --config');
  const end = async () => {
    program.child.kill('SIGTERM');
    await program.ended;
  };
  return { url: /https:\/\/127\.0\.0\.1:\d+/.exec(program.stdout)![0], end };
}

describe('simulate', () => {
  it('keeps its CA over restarts, so that a relay that runs goes on trusting', async () => {
    const dir = folder();
    const caFile = join(dir, 'ca.pem');
    const keyFile = join(dir, 'ca-key.pem');
    const first = await simulating(dir);
    const ca = readFileSync(caFile, 'utf8');
    await first.end();
    chmodSync(keyFile, 0o644);
    const second = await simulating(dir);
    expect(await account(second.url, ca)).toContain('raised');
    expect(readFileSync(caFile, 'utf8')).toBe(ca);
    for (const name of ['ca-key.pem', 'secret']) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    await second.end();
  });

  it('makes a new CA where the key of the old one is missing or broken', async () => {
    const dir = folder();
    const first = await simulating(dir);
    const ca = readFileSync(join(dir, 'ca.pem'), 'utf8');
    await first.end();
    writeFileSync(join(dir, 'ca-key.pem'), 'no key');
    const second = await simulating(dir);
    const next = readFileSync(join(dir, 'ca.pem'), 'utf8');
    expect(next).not.toBe(ca);
    expect(await account(second.url, next)).toContain('raised');
    await second.end();
  });

  it('has the name in its certificate and in relay.yaml by which others reach it', async () => {
    const dir = folder();
    const program = start(['simulate', '--dir', dir, '--host', '0.0.0.0', '--name', 'graph.test']);
    await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('defender-relay run --config');
    const url = new URL(/https:\/\/graph\.test:\d+/.exec(program.stdout)![0]);
    expect(readFileSync(join(dir, 'relay.yaml'), 'utf8')).toContain(`graphEndpoint: ${url.origin}\n`);
    // Asked at an address of this machine, and known by its name.
    const socket = connect({
      host: '127.0.0.2',
      port: Number(url.port),
      servername: url.hostname,
      ca: readFileSync(join(dir, 'ca.pem'), 'utf8'),
    });
    await once(socket, 'secureConnect');
    socket.destroy();
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual([0, null]);
  });

  it('refuses a name that is none', async () => {
    const program = start(['simulate', '--name', 'graph/test']);
    expect(await program.ended).toEqual([2, null]);
    expect(program.stderr).toContain('expected a name such as');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('prints where it is, and ends well at %s', async (signal) => {
    const dir = folder();
    const program = start(['simulate', '--dir', join(dir, 'new'), '--alerts', '3', '--quota', 'off']);
    await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('defender-relay run --config');
    const url = /https:\/\/127\.0\.0\.1:\d+/.exec(program.stdout)![0];
    // No escape sequences into a pipe, and each path is one that is there.
    expect(program.stdout).not.toContain('\u001b');
    const ca = readFileSync(/\S+ca\.pem/.exec(program.stdout)![0], 'utf8');
    expect(existsSync(/\S+relay\.yaml/.exec(program.stdout)![0])).toBe(true);
    expect(JSON.parse(await account(url, ca))).toHaveProperty('raised');
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
