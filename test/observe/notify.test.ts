import { describe, expect, it, onTestFinished } from 'vitest';
import { openServiceManager } from '../../src/observe/notify.ts';
import { whyMissing } from '../peers/missing.ts';
import { collectLog } from '../support/log.ts';
import { notifySocket } from '../support/notify-socket.ts';

const missing = whyMissing('systemd') !== undefined;
const TIMEOUT = { timeout: 10_000 };

function open(env: NodeJS.ProcessEnv) {
  const log = collectLog();
  const manager = openServiceManager(env, 4711, log);
  onTestFinished(() => manager.close());
  return { manager, log };
}

const alive = async () => {};

describe.skipIf(missing)('openServiceManager() with systemd-notify (skipped without it)', () => {
  it('tells systemd when the relay is ready and when it ends', async () => {
    const systemd = await notifySocket();
    const { manager, log } = open(systemd.env);
    manager.ready(alive);
    await expect.poll(() => systemd.told('READY=1'), TIMEOUT).toBe(1);
    manager.stopping();
    await expect.poll(() => systemd.told('STOPPING=1'), TIMEOUT).toBe(1);
    expect(systemd.told('WATCHDOG=1')).toBe(0);
    expect(log.lines).toEqual([]);
  });

  it('feeds the watchdog as long as the journal answers', async () => {
    const systemd = await notifySocket();
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
    const systemd = await notifySocket();
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
