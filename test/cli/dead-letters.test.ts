import { existsSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  deadLettersDropCommand,
  deadLettersListCommand,
  deadLettersRetryCommand,
  deadLettersShowCommand,
} from '../../src/cli/dead-letters.ts';
import { RelayError, UsageError } from '../../src/core/errors.ts';
import { open } from '../journal/harness.ts';
import { aRecord } from '../support/records.ts';
import { aKeptState, aRunningRelay, run, sinkNamed, toldNext } from './kept-state.ts';

const list = (
  config: string,
  flags: { sink?: string; source?: string; limit?: number; json?: boolean } = {},
) => run(deadLettersListCommand, { config, limit: 100, ...flags });
const show = (config: string, id: string, json = false) =>
  run(deadLettersShowCommand, { config, json, args: [id] });
const retry = (config: string, args: readonly string[], flags: { sink?: string; json?: boolean } = {}) =>
  run(deadLettersRetryCommand, { config, args, ...flags });
const drop = (config: string, args: readonly string[], flags: { sink?: string } = {}) =>
  run(deadLettersDropCommand, { config, args, ...flags });

describe('dead-letters list', () => {
  it('S6: shows them in columns, and nothing of a far end as it came', async () => {
    const { config } = await aKeptState();
    const { code, lines } = await list(config);
    expect(code).toBe(0);
    expect(lines).toEqual([
      expect.stringMatching(/^ {2}ID {2}KIND {4}NAME {4}SINCE +REASON +RECORD +DETAIL$/),
      expect.stringMatching(/^ {2}1 {3}sink {4}siem {4}\S+Z {2}rejected +a +HTTP 400 \[2J$/),
      expect.stringMatching(
        /^ {2}2 {3}source {2}alerts {2}\S+Z {2}unreadable +2025-03-04T04:13:23\S* +HTTP 500$/,
      ),
    ]);
  });

  it.each([
    [{ sink: 'siem' }, [1]],
    [{ source: 'alerts' }, [2]],
    [{ sink: 'old' }, []],
    [{ limit: 1 }, [2]],
  ])('shows those of %j', async (flags, expected) => {
    const { config } = await aKeptState();
    const { text } = await list(config, { ...flags, json: true });
    expect((JSON.parse(text).deadLetters as { id: number }[]).map(({ id }) => id)).toEqual(expected);
  });

  it('says when there are more, or none', async () => {
    const { config } = await aKeptState();
    expect((await list(config, { limit: 1 })).lines.at(-1)).toBe(
      '  older ones are not shown; --limit N shows more',
    );
    expect((await list(config, { sink: 'old' })).text).toBe('no dead letters\n');
  });

  it('refuses both filters at once', async () => {
    const { config } = await aKeptState();
    await expect(list(config, { sink: 'a', source: 'b' })).rejects.toThrow(UsageError);
  });
});

describe('dead-letters show', () => {
  it('shows a record whole, for people', async () => {
    const { config } = await aKeptState();
    const { lines } = await show(config, '1');
    expect(lines.slice(0, 11)).toEqual([
      'Dead letter 1',
      '  sink      siem',
      expect.stringMatching(/^ {2}since {5}\S+Z$/),
      '  reason    rejected',
      '  detail    HTTP 400 [2J',
      '  source    alerts',
      '  tenant    contoso',
      '  record    a',
      expect.stringMatching(/^ {2}time {6}\S+Z$/),
      '  severity  high',
      '  outcome   new',
    ]);
    expect(JSON.parse(lines.slice(12).join('\n'))).toMatchObject({ id: 'a', severity: 'high' });
  });

  it('shows it as JSON, and what a source cannot read', async () => {
    const { config } = await aKeptState();
    expect(JSON.parse((await show(config, '1', true)).text)).toMatchObject({
      id: 1,
      kind: 'sink',
      name: 'siem',
      reason: 'rejected',
      record: { id: 'a', tenant: 'contoso', outcome: 'new', body: { id: 'a' } },
    });
    expect(JSON.parse((await show(config, '2', true)).text)).toMatchObject({
      kind: 'source',
      unread: {
        tenant: 'contoso',
        from: expect.stringMatching(/^2025-03-04T04:13:23/),
        to: expect.stringMatching(/^2025-03-04T04:13:24/),
        count: 3,
      },
    });
    expect((await show(config, '2')).lines).toEqual(
      expect.arrayContaining(['  tenant   contoso', '  records  3']),
    );
  });

  it.each(['7', 'x', '-1'])('refuses %s', async (id) => {
    const { config } = await aKeptState();
    await expect(show(config, id)).rejects.toThrow(UsageError);
  });
});

describe('dead-letters retry', () => {
  it('appends them for their sink, on the state of a relay that has stopped', async () => {
    const { config, state, cursor } = await aKeptState();
    expect(await retry(config, ['1'])).toMatchObject({ code: 0, text: '1 dead letter will be sent again\n' });
    expect((await list(config, { sink: 'siem' })).text).toBe('no dead letters\n');
    const journal = await open(state);
    expect(await toldNext(journal, 'siem', cursor)).toEqual([
      ['b', 'new'],
      ['a', 'retry'],
    ]);
    expect(await toldNext(journal, 'old', cursor)).toEqual([['b', 'new']]);
    await journal.close();
  });

  it('K9: has the relay do it that runs', async () => {
    const { config, state, cursor } = await aKeptState();
    const journal = await aRunningRelay(state);
    const { code, text } = await retry(config, [], { sink: 'siem', json: true });
    expect([code, JSON.parse(text)]).toEqual([0, { done: [1], left: [] }]);
    expect(await toldNext(journal, 'siem', cursor)).toContainEqual(['a', 'retry']);
  });

  it('has the body as it came of one that was never read, as the relay died of it', async () => {
    const { config, state, cursor } = await aKeptState();
    const journal = await open(state);
    await journal.register([sinkNamed('siem')]);
    const [{ ends }] = [await journal.take(cursor, 1, AbortSignal.timeout(9_000))];
    const record = aRecord({}, { id: 'c', body: { unread: '{"id":"c","long":18446744073709551615}' } });
    const refused = [{ record, reason: 'crash', detail: 'it died' }] as const;
    journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 2, refused });
    await journal.flush();
    await journal.close();
    await retry(config, ['3']);
    const again = await open(state);
    const loan = await again.take(ends[0]!, 9, AbortSignal.timeout(9_000), 'siem');
    expect(loan.records).toMatchObject([{ id: 'c', body: { id: 'c', long: 18446744073709551615n } }]);
    await again.close();
  });

  it('tells which are left, and why, and ends with 1', async () => {
    const { config } = await aKeptState();
    expect(await retry(config, ['1', '2', '7'])).toMatchObject({
      code: 1,
      lines: [
        'dead letter 2 stays: it is of source alerts, which reads it again by itself',
        'dead letter 7 stays: there is no such dead letter',
        '1 dead letter will be sent again',
      ],
    });
  });

  it.each([
    [[], {}],
    [['1'], { sink: 'siem' }],
    [['x'], {}],
  ])('refuses %j with %j', async (args, flags) => {
    const { config } = await aKeptState();
    await expect(retry(config, args, flags)).rejects.toThrow(UsageError);
  });

  it('makes no journal where there is none', async () => {
    const { config, state } = await aKeptState();
    rmSync(state, { recursive: true });
    await expect(retry(config, ['1'])).rejects.toThrow(RelayError);
    expect(existsSync(state)).toBe(false);
  });
});

describe('dead-letters drop', () => {
  it('lets go of them', async () => {
    const { config } = await aKeptState();
    expect(await drop(config, [], { sink: 'siem' })).toMatchObject({
      code: 0,
      text: '1 dead letter dropped\n',
    });
    expect((await list(config, { sink: 'siem' })).text).toBe('no dead letters\n');
  });
});
