import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openServiceManager } from '../../src/observe/notify.ts';
import { whyMissing } from '../peers/missing.ts';
import { testFolder } from '../support/folder.ts';
import { collectLog } from '../support/log.ts';

const python = '/usr/bin/python3';
const missing = whyMissing('systemd') !== undefined || !existsSync(python);
const TIMEOUT = { timeout: 10_000 };

/** What systemd does: takes datagrams at a Unix socket, which Node cannot. */
async function receiver() {
  const socket = join(testFolder(), 'notify');
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
  const child = spawn(python, ['-c', script, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  await once(child.stdout, 'data');
  return {
    env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket },
    /** So many times it has been told so. */
    told: (word: string) => text.split('\n').filter((line) => line === word).length,
  };
}

function open(env: NodeJS.ProcessEnv) {
  const log = collectLog();
  const manager = openServiceManager(env, 4711, log);
  onTestFinished(() => manager.close());
  return { manager, log };
}

const alive = async () => {};

describe.skipIf(missing)('openServiceManager() with systemd-notify (skipped without it or python3)', () => {
  it('tells systemd when the relay is ready and when it ends', async () => {
    const systemd = await receiver();
    const { manager, log } = open(systemd.env);
    manager.ready(alive);
    await expect.poll(() => systemd.told('READY=1'), TIMEOUT).toBe(1);
    manager.stopping();
    await expect.poll(() => systemd.told('STOPPING=1'), TIMEOUT).toBe(1);
    expect(systemd.told('WATCHDOG=1')).toBe(0);
    expect(log.lines).toEqual([]);
  });

  it('feeds the watchdog as long as the journal answers', async () => {
    const systemd = await receiver();
    const { manager } = open({ ...systemd.env, WATCHDOG_USEC: '60000', WATCHDOG_PID: '4711' });
    let asked = 0;
    let answers = true;
    manager.ready(async () => {
      asked += 1;
      if (!answers) throw new Error('the journal does not answer');
    });
    await expect.poll(() => systemd.told('WATCHDOG=1'), TIMEOUT).toBeGreaterThan(2);
    answers = false;
    // What is under way arrives; after that it is asked and nothing is told.
    await expect
      .poll(async () => {
        const [before, beforeAsked] = [systemd.told('WATCHDOG=1'), asked];
        await expect.poll(() => asked, TIMEOUT).toBeGreaterThan(beforeAsked + 10);
        return systemd.told('WATCHDOG=1') - before;
      }, TIMEOUT)
      .toBe(0);
  });

  it('leaves a watchdog alone that is for another process', async () => {
    const systemd = await receiver();
    const { manager } = open({ ...systemd.env, WATCHDOG_USEC: '3000', WATCHDOG_PID: '1' });
    let asked = 0;
    manager.ready(async () => {
      asked += 1;
    });
    await expect.poll(() => systemd.told('READY=1'), TIMEOUT).toBe(1);
    expect(asked).toBe(0);
  });
});

describe('openServiceManager()', () => {
  it('says once in the log that it cannot tell systemd', async () => {
    const { manager, log } = open({ PATH: '/nowhere', NOTIFY_SOCKET: '/nowhere' });
    manager.ready(alive);
    manager.stopping();
    await expect.poll(() => log.lines, TIMEOUT).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'warn',
      fields: { reason: expect.stringContaining('systemd-notify') },
    });
  });

  it('starts nothing where no service manager has asked', () => {
    const { manager, log } = open({ PATH: '/nowhere', WATCHDOG_USEC: '1' });
    manager.ready(() => Promise.reject(new Error('asked')));
    manager.stopping();
    expect(log.lines).toEqual([]);
  });
});
