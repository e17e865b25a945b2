import { describe, expect, it } from 'vitest';
import { JournalError, UnavailableError } from '../../src/core/errors.ts';
import { abortError } from '../../src/lib/wait.ts';
import { restarted } from '../../src/pipeline/restarted.ts';
import { collectLog } from '../support/log.ts';

const down = (retryAfterMs?: number) =>
  new UnavailableError('the siem is down', { reason: 'network', retryAfterMs });

/** Runs `attempts` one after the other; the one after the last stops all. */
async function run(
  attempts: readonly ((healthy: () => void) => void | Promise<void>)[],
  backoff = { initialMs: 1, maxMs: 2 },
) {
  const stop = new AbortController();
  const log = collectLog();
  const failures: string[] = [];
  let runs = 0;
  await restarted(
    async (healthy) => {
      const attempt = attempts[runs++];
      if (attempt === undefined) {
        stop.abort();
        throw abortError(stop.signal);
      }
      await attempt(healthy);
      throw down();
    },
    {
      log,
      backoff,
      now: () => 0,
      random: () => 0.5,
      signal: stop.signal,
      failed: (reason) => failures.push(reason),
    },
  );
  return { runs, failures, lines: log.lines.filter(({ level }) => level !== 'debug'), all: log.lines };
}

describe('restarted()', () => {
  it('Q8: starts a task again without end', async () => {
    const { runs, failures } = await run(Array.from({ length: 200 }, () => () => {}));
    expect(runs).toBe(201);
    expect(failures).toHaveLength(200);
  });

  it('tells a row of failures once when it starts and once when it is healed', async () => {
    const { lines, all } = await run([() => {}, () => {}, () => {}, (healthy) => healthy()]);
    expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: the siem is down; next try in 1ms',
      'info: working again, after 0ms and 3 failures',
      'warn: the siem is down; next try in 1ms',
    ]);
    expect(lines[1]!.fields).toEqual({ failures: 3, failingForMs: 0 });
    expect(all.filter(({ level }) => level === 'debug')).toHaveLength(2);
  });

  it('says nothing about being healthy when nothing was wrong', async () => {
    const stop = new AbortController();
    const log = collectLog();
    const task = async (healthy: () => void) => {
      healthy();
      healthy();
    };
    const options = {
      log,
      backoff: { initialMs: 1, maxMs: 1 },
      now: () => 0,
      random: () => 0,
      signal: stop.signal,
    };
    await restarted(task, { ...options, failed: () => expect.fail('it failed') });
    expect(log.lines).toEqual([]);
  });

  it('waits longer from failure to failure, and from the beginning again after health', async () => {
    const { all } = await run([() => {}, () => {}, () => {}, (healthy) => healthy()], {
      initialMs: 4,
      maxMs: 8,
    });
    const waits = all.filter(({ level }) => level !== 'info').map(({ fields }) => Object(fields).retryInMs);
    expect(waits).toEqual([3, 6, 6, 3]);
  });

  it('waits as long as the far end has asked for', async () => {
    const { lines } = await run([() => Promise.reject(down(7))], { initialMs: 1_000_000, maxMs: 1_000_000 });
    expect(lines[0]!.fields).toMatchObject({ retryInMs: 7, attempt: 1 });
  });

  it.each([
    ['an error', new TypeError('x is not a function')],
    ['a text', 'no error at all'],
    ['nothing', undefined],
    ['null', null],
    ['an AbortError that nobody asked for', abortError(AbortSignal.abort())],
  ])('takes %s that nobody foresaw for a bug: tells it and goes on', async (_, thrown) => {
    const { runs, failures, lines } = await run([() => Promise.reject(thrown), () => Promise.reject(thrown)]);
    expect(runs).toBe(3);
    expect(failures).toEqual(['bug', 'bug']);
    expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'error: failed unexpectedly; starting again; next try in 1ms',
    ]);
    expect(Object(lines[0]!.fields).err).toBe(thrown);
  });

  it('survives a task that throws before it has begun', async () => {
    const stop = new AbortController();
    const log = collectLog();
    let runs = 0;
    const task = () => {
      if (++runs === 3) stop.abort();
      throw down();
    };
    const options = {
      log,
      backoff: { initialMs: 1, maxMs: 1 },
      now: () => 0,
      random: () => 0,
      signal: stop.signal,
    };
    await restarted(task, { ...options, failed: () => {} });
    expect(runs).toBe(3);
  });

  it('counts failures by their reason', async () => {
    const { failures } = await run([
      () => Promise.reject(new UnavailableError('', { reason: 'auth' })),
      () => Promise.reject(new Error('')),
      () => Promise.reject(new UnavailableError('', { reason: 'throttled' })),
    ]);
    expect(failures).toEqual(['auth', 'bug', 'throttled']);
  });

  it('passes a lost journal on at once', async () => {
    await expect(run([() => Promise.reject(new JournalError('the disk is gone'))])).rejects.toThrow(
      JournalError,
    );
  });

  it('passes a lost journal on while it is being stopped, too', async () => {
    const stop = new AbortController();
    const task = async () => {
      stop.abort();
      throw new JournalError('the last commit failed');
    };
    const options = { log: collectLog(), backoff: { initialMs: 1, maxMs: 1 }, now: () => 0, random: () => 0 };
    const running = restarted(task, { ...options, signal: stop.signal, failed: () => {} });
    await expect(running).rejects.toThrow('the last commit failed');
  });

  it('does not speak of a next try when it has been asked to end meanwhile', async () => {
    const stop = new AbortController();
    const log = collectLog();
    const task = async () => {
      stop.abort();
      throw down();
    };
    const options = { log, backoff: { initialMs: 1, maxMs: 1 }, now: () => 0, random: () => 0 };
    await restarted(task, { ...options, signal: stop.signal, failed: () => {} });
    expect(log.lines.map(({ message }) => message)).toEqual(['the siem is down']);
  });

  it('ends in the middle of a wait when it is asked to', async () => {
    const stop = new AbortController();
    const options = {
      log: collectLog(),
      backoff: { initialMs: 2 ** 30, maxMs: 2 ** 30 },
      now: () => 0,
      random: () => 1,
    };
    const failed = () => void setImmediate(() => stop.abort());
    await restarted(() => Promise.reject(down()), { ...options, signal: stop.signal, failed });
    expect(stop.signal.aborted).toBe(true);
  });

  it('tells what may be shown to everybody: of what nobody foresaw nothing but that', async () => {
    const stop = new AbortController();
    const told: string[] = [];
    const failures = [down(), new Error('canary in /home/somebody')];
    const task = async (healthy: () => void) => {
      const failure = failures.shift();
      if (failure) throw failure;
      healthy();
      stop.abort();
    };
    await restarted(task, {
      log: collectLog(),
      backoff: { initialMs: 1, maxMs: 1 },
      now: () => 0,
      random: () => 0,
      signal: stop.signal,
      failed: (reason, message) => told.push(`${reason}: ${message}`),
      healthy: () => told.push('healthy'),
    });
    expect(told).toEqual([
      expect.stringMatching(/^\w+: the siem is down$/),
      'bug: failed unexpectedly; the log has the details',
      'healthy',
    ]);
  });

  it('does not begin when it has been asked to end', async () => {
    const options = { log: collectLog(), backoff: { initialMs: 1, maxMs: 1 }, now: () => 0, random: () => 0 };
    const task = () => expect.fail('it began');
    await restarted(task, { ...options, signal: AbortSignal.abort(), failed: () => {} });
  });
});
