import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { progressText, type ReplayFlags, replayCommand, replayText } from '../../src/cli/replay.ts';
import { commandsOn } from '../../src/control/protocol.ts';
import { openControl } from '../../src/control/server.ts';
import { RelayError, UsageError } from '../../src/core/errors.ts';
import type { Cursor } from '../../src/core/journal.ts';
import type { ReplayProgress, ReplayRequest } from '../../src/core/replay.ts';
import type { Task } from '../../src/core/task.ts';
import { open, quiet } from '../journal/harness.ts';
import { aReplayResult } from '../support/replayed.ts';
import { aKeptState, run, sinkNamed } from './kept-state.ts';

/** The records of the kept state are of the first ticks of the year 1. */
const range = { from: '0001-01-01', to: '0001-01-02' };

const replay = (config: string, flags: Partial<ReplayFlags> = {}) =>
  run<ReplayFlags>(async (given, io) => replayCommand(given, { ...io, stdin: process.stdin, exit() {} }), {
    config,
    ...{ sink: 'siem', maxPerSecond: 100 },
    ...range,
    ...flags,
  });

/** A relay has the state, and does with replays what it is told to. */
async function aReplaying(
  state: string,
  result: ReturnType<typeof aReplayResult> | Error,
  step?: ReplayProgress,
) {
  const asked: ReplayRequest[] = [];
  const journal = await open(state);
  const commands = {
    ...commandsOn(journal),
    reconcile: async () => ({ sources: [], gaps: [] }),
    async replay(request: ReplayRequest, { progress }: Task<ReplayProgress>) {
      asked.push(request);
      if (step) progress(step);
      if (result instanceof Error) throw result;
      return result;
    },
  };
  const control = await openControl(state, commands, quiet);
  onTestFinished(async () => {
    await control.close();
    await journal.close();
  });
  return asked;
}

describe('replay', () => {
  it('K9: without a relay puts it in the journal for the next start, and says so', async () => {
    const { config, state, cursor } = await aKeptState();
    const { code, lines } = await replay(config);
    expect([code, ...lines]).toEqual([
      0,
      '2 records in the journal for sink siem again, marked as replay; no relay runs: the next start sends them',
      expect.stringMatching(/^the journal has all that came since 20.*; of what was updated before, /),
    ]);
    const journal = await open(state);
    await journal.register([sinkNamed('siem')]);
    const told: string[] = [];
    let at: Cursor = cursor;
    while (told.length < 3) {
      const { records, ends } = await journal.take(at, 9, AbortSignal.timeout(9_000), 'siem');
      told.push(...records.map(({ id, outcome }) => `${id} ${outcome}`));
      at = ends.at(-1)!;
    }
    expect(told).toEqual(['b new', 'a replay', 'b replay']);
    await journal.close();
  });

  it('K9: has a relay do it that runs, and gives what came out', async () => {
    const { config, state } = await aKeptState();
    const result = aReplayResult({ records: 5, listed: 2 });
    const asked = await aReplaying(state, result);
    expect(await replay(config, { maxPerSecond: 7 })).toMatchObject({
      code: 0,
      lines: ['5 records (2 from Graph) in the journal for sink siem again, marked as replay'],
    });
    const { text } = await replay(config, { json: true });
    expect(JSON.parse(text)).toEqual({ sink: 'siem', running: true, ...result });
    const times = { from: '0001-01-01T00:00:00.0000000Z', to: '0001-01-02T00:00:00.0000000Z' };
    expect(asked[0]).toEqual({ sink: 'siem', ...times, maxPerSecond: 7 });
  });

  it.each([
    ['stopped', { ended: 'stopped' }],
    ['full', { ended: 'full' }],
    ['failed', { ended: 'failed', problem: 'HTTP 403' }],
    ['of what was let go of', { gone: 1 }],
    ['of what is broken', { broken: 1 }],
    [
      'of what cannot be read',
      { unread: [{ source: 'a', tenant: 'b', from: '1', to: '2', detail: 'HTTP 500' }] },
    ],
  ] as const)('exit code 1: it was not all, %s', async (_, overrides) => {
    const { config, state } = await aKeptState();
    await aReplaying(state, aReplayResult(overrides));
    expect((await replay(config)).code).toBe(1);
  });

  it('says how far it came when the relay ends meanwhile', async () => {
    const { config, state } = await aKeptState();
    const step = { doing: 'appending', records: 7, upTo: '0001-01-01T12:00:00.0000000Z' } as const;
    await aReplaying(state, new Error('the journal is closed'), step);
    const { code, lines } = await replay(config);
    expect([code, ...lines]).toEqual([
      1,
      '7 records in the journal for sink siem again, marked as replay',
      expect.stringMatching(/the journal is closed; go on with --from 0001-01-01T12:00:00.0000000Z --to /),
    ]);
  });

  it('tells why the relay did not do it', async () => {
    const { config, state } = await aKeptState();
    await aReplaying(state, new Error('the journal has no sink siem'));
    await expect(replay(config)).rejects.toThrow(/did not do it: the journal has no sink siem$/);
  });

  it.each([
    ['a sink that is not there', { sink: 'sien' }, 'the config has no sink "sien": did you mean "siem"?'],
    ['one that is like no other', { sink: 'lake' }, 'the config has no sink "lake": it has siem'],
    ['what is no time', { from: 'noon' }, /^--from noon: expected a time such as /],
    ['a range without anything', { to: '0001-01-01' }, '--from 0001-01-01 is not before --to 0001-01-01'],
  ] as const)('refuses %s', async (_, flags, message) => {
    const { config } = await aKeptState();
    await expect(replay(config, flags)).rejects.toThrow(UsageError);
    await expect(replay(config, flags)).rejects.toThrow(message);
  });

  it('says so when there is no journal', async () => {
    const { config, state } = await aKeptState();
    rmSync(state, { recursive: true });
    await expect(replay(config)).rejects.toThrow(RelayError);
    await expect(replay(config)).rejects.toThrow(/^there is no journal in /);
  });
});

describe('replayText()', () => {
  it('says from where to go on, and what was not told', () => {
    const unread = [{ source: 'alerts', tenant: 'contoso', from: 'T1', to: 'T2', detail: 'HTTP\u001b 500' }];
    const result = aReplayResult({
      ended: 'stopped',
      records: 1,
      gone: 2,
      broken: 3,
      upTo: 'T3',
      to: 'T4',
      unread,
    });
    expect(replayText('siem', result, true)).toEqual([
      '1 record in the journal for sink siem again, marked as replay',
      '2 records could not be told: the journal has let go of them meanwhile',
      'at most 3 records could not be told: the journal is broken there; journal check says how',
      expect.stringMatching(/^not told, source alerts cannot read it: T1 to T2: HTTP.* 500$/),
      'ended before it was done: it was stopped; go on with --from T3 --to T4, then some may come twice',
    ]);
    expect(replayText('siem', result, true).join('')).not.toContain('\u001b');
    expect(replayText('siem', aReplayResult({ ended: 'full' }), false).at(-1)).toMatch(/no free room/);
    expect(replayText('siem', aReplayResult({ ended: 'failed' }), true).at(-1)).toMatch(/done: it failed; /);
  });

  it('says when the journal has never got anything', () => {
    const notListed = { from: 'T1', to: 'T2' };
    const result = aReplayResult({ journalSince: null, notListed });
    expect(replayText('siem', result, false)[1]).toBe('the journal has never got anything');
  });
});

describe('progressText()', () => {
  it('says how far it is, and what it waits for', () => {
    expect(progressText({ doing: 'waiting-for-sink', records: 7, upTo: 'T' })).toBe(
      '7 records, up to T: waiting for the sink, which has much before it',
    );
  });
});
