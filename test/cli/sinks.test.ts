import { describe, expect, it } from 'vitest';
import { sinksForgetCommand, sinksListCommand } from '../../src/cli/sinks.ts';
import { openControl } from '../../src/control/server.ts';
import { UsageError } from '../../src/core/errors.ts';
import { aPage, open, quiet, someRecords } from '../journal/harness.ts';
import { aReplayResult } from '../support/replayed.ts';
import { aKeptState, aRunningRelay, run, sinkNamed } from './kept-state.ts';

const forget = (config: string, name: string, json = false) =>
  run(sinksForgetCommand, { config, json, args: [name] });
const namesOf = async (config: string) => {
  const { text } = await run(sinksListCommand, { config, json: true });
  return (JSON.parse(text).sinks as { name: string; state: string }[]).map(({ name, state }) => [
    name,
    state,
  ]);
};

describe('sinks list', () => {
  it('K8: shows those of the config, and those that have left it, without a secret', async () => {
    const { config } = await aKeptState();
    const { code, lines } = await run(sinksListCommand, { config });
    expect(code).toBe(0);
    expect(lines).toEqual([
      '  SINK  STATE       PENDING  OLDEST  GAPS  ORPHANED FOR  FORGOTTEN',
      expect.stringMatching(/^ {2}old {3}orphaned {4}2 {8}\S+ +- +\S+ +in \S+( \S+)?$/),
      expect.stringMatching(/^ {2}siem {2}configured {2}1 {8}\S+ +- +- +-$/),
    ]);
  });

  it('K6: shows what a sink was not given, and says so when it is forgotten with it', async () => {
    const { config, state } = await aKeptState();
    const journal = await open(state, { maxBytes: 40_000 });
    // Everything is too much for it, but for the last batch and what siem needs.
    await journal.register([sinkNamed('siem'), { ...sinkNamed('old'), required: false }]);
    await journal.append(aPage(someRecords(['c'])));
    journal.advance({ sink: 'siem', cursor: { batch: 2, index: 0 }, sequence: 2, refused: [] });
    await journal.flush();
    // Room is made by the next transaction.
    await journal.append(aPage(someRecords(['c'])));
    await journal.register([sinkNamed('siem')]);
    await journal.close();
    const { lines } = await run(sinksListCommand, { config });
    expect(lines[1]).toMatch(/^ {2}old {3}orphaned {4}1 {8}\S+ +at most 2 +\S+ +in /);
    expect((await forget(config, 'old')).text).toBe(
      'sink old is forgotten; 1 record that waited for it will not be told, nor what it missed before, at most 2 records\n',
    );
  });

  it('says when each is forgotten, as JSON', async () => {
    const { config } = await aKeptState();
    const { text } = await run(sinksListCommand, { config, json: true });
    const [old, siem] = JSON.parse(text).sinks;
    expect(siem).toMatchObject({ name: 'siem', state: 'configured', pending: 1, forgottenAt: null });
    expect(old).toMatchObject({ name: 'old', state: 'orphaned', pending: 2 });
    expect(Date.parse(old.forgottenAt) - Date.parse(old.orphanedSince)).toBe(7 * 86_400_000);
  });

  it('shows what is known before a relay was started, and what will be gone at its next start', async () => {
    const { config, state } = await aKeptState();
    const journal = await open(state);
    await journal.register([sinkNamed('leaves')]);
    await journal.forget('siem');
    await journal.close();
    expect(await namesOf(config)).toEqual([
      ['leaves', 'leaving'],
      ['old', 'orphaned'],
      ['siem', 'new'],
    ]);
  });
});

describe('sinks forget', () => {
  it('K8: lets go of one on the state of a relay that has stopped', async () => {
    const { config } = await aKeptState();
    const { code, text } = await forget(config, 'old');
    expect([code, text]).toEqual([
      0,
      'sink old is forgotten; 2 records that waited for it will not be told\n',
    ]);
    expect(await namesOf(config)).toEqual([['siem', 'configured']]);
  });

  it('K9: has the relay do it that runs', async () => {
    const { config, state } = await aKeptState();
    await aRunningRelay(state);
    const { text } = await forget(config, 'old', true);
    expect(JSON.parse(text)).toEqual({ forgotten: 'old', pending: 2 });
    expect(await namesOf(config)).toEqual([['siem', 'configured']]);
  });

  it('lets go of one that has left the config since the relay stopped', async () => {
    const { config, state } = await aKeptState();
    const journal = await open(state);
    await journal.register([sinkNamed('siem'), sinkNamed('leaves')]);
    await journal.close();
    expect((await forget(config, 'leaves')).text).toBe('sink leaves is forgotten; nothing waited for it\n');
  });

  it('leaves one that the relay that runs still has', async () => {
    const { config, state } = await aKeptState();
    const journal = await aRunningRelay(state);
    await journal.register([sinkNamed('siem'), sinkNamed('leaves')]);
    await expect(forget(config, 'leaves')).rejects.toThrow(
      'the relay that runs still has sink leaves: start it again without it first',
    );
  });

  it.each([
    ['one of the config', 'siem', /^sink siem is in the config: take it out first/],
    ['one that is not there', 'olt', /^the journal in .* has no sink olt; it has old, siem$/],
  ])('refuses %s', async (_, name, message) => {
    const { config } = await aKeptState();
    await expect(forget(config, name)).rejects.toThrow(UsageError);
    await expect(forget(config, name)).rejects.toThrow(message);
  });

  it('K9: says so when a relay has the state and takes no commands', async () => {
    const { config, state } = await aKeptState();
    const journal = await open(state);
    await expect(forget(config, 'old')).rejects.toThrow(/^a relay has .*, but takes no commands: /);
    const control = await openControl(
      state,
      {
        forget: () => journal.forget('old'),
        retry: (choice) => journal.retry(choice),
        drop: (choice) => journal.drop(choice),
        reconcile: async () => ({ sources: [], gaps: [] }),
        replay: async () => aReplayResult(),
      },
      quiet,
    );
    expect((await forget(config, 'old')).code).toBe(0);
    await control.close();
    await journal.close();
  });
});
