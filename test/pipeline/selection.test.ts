import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Follows } from '../../src/core/follows.ts';
import type { Follow, RecordId } from '../../src/core/journal.ts';
import { isResolved, type Match, matches } from '../../src/core/match.ts';
import type { Outcome, RelayRecord } from '../../src/core/record.ts';
import { Selection } from '../../src/pipeline/selection.ts';
import { aRecord } from '../support/records.ts';

const high: Match = { severity: ['high'] };

const alert = (id: string, severity: string, status = 'new', outcome: Outcome = 'update') =>
  aRecord({ id, severity, status }, { outcome });

/** What the journal knows, and how often it was asked. */
function aJournal(known: readonly string[] = []) {
  const follows = new Follows();
  follows.add(known.map((id) => ({ source: 'alerts', tenant: 'contoso', id, revision: 0n, on: true })));
  const asked: string[][] = [];
  return {
    follows,
    asked,
    ask: async (ids: readonly RecordId[]) => {
      asked.push(ids.map(({ id }) => id));
      return ids.map((id) => follows.get(id) ?? false);
    },
  };
}

const wanted = async (selection: Selection, ...records: RelayRecord[]) =>
  (await selection.choose(records)).map((choice) => choice.wanted);
const followsOf = async (selection: Selection, ...records: RelayRecord[]) =>
  (await selection.choose(records)).flatMap(({ follow }) => follow ?? []);

describe('Selection', () => {
  it('takes what matches and asks the journal nothing when the match names nothing that changes', async () => {
    const journal = aJournal();
    const selection = new Selection({ tenant: ['contoso'] }, true, journal.ask);
    const stranger = aRecord({}, { tenant: 'fabrikam' });
    expect(await selection.choose([alert('a', 'low'), stranger])).toEqual([
      { wanted: true },
      { wanted: false },
    ]);
    expect(journal.asked).toEqual([]);
  });

  it('takes what was refused and is told again, whatever becomes of its id', async () => {
    const journal = aJournal();
    const again = alert('a', 'low', 'new', 'retry');
    expect(await new Selection(high, true, journal.ask).choose([again])).toEqual([{ wanted: true }]);
    expect(await new Selection({ tenant: ['fabrikam'] }, true, journal.ask).choose([again])).toEqual([
      { wanted: true },
    ]);
    expect(journal.asked).toEqual([]);
  });

  it('S7: what the relay tells of itself passes every match, or is not for the sink at all', async () => {
    const journal = aJournal();
    const own = (outcome: Outcome = 'new') =>
      aRecord({}, { kind: 'relay', source: 'defender-relay', tenant: '', outcome });
    const all = [own(), own('retry')];
    for (const match of [{}, high, { tenant: ['fabrikam'] }]) {
      expect(await wanted(new Selection(match, true, journal.ask), ...all)).toEqual([true, true]);
      expect(await wanted(new Selection(match, false, journal.ask), ...all)).toEqual([false, false]);
    }
    expect(await followsOf(new Selection(high, true, journal.ask), ...all)).toEqual([]);
    expect(journal.asked.flat()).toEqual([]);
  });

  it('R8: goes on with an id that once matched until it is resolved, within one loan', async () => {
    const selection = new Selection(high, true, aJournal().ask);
    const life = [
      alert('a', 'low'),
      alert('a', 'high'),
      alert('a', 'low'),
      alert('b', 'low'),
      alert('a', 'low', 'resolved'),
      alert('a', 'low', 'resolved'),
      alert('a', 'low', 'inProgress'),
    ];
    expect(await wanted(selection, ...life)).toEqual([false, true, true, false, true, false, false]);
  });

  it('R8: goes on with what the journal knows of, and asks it only about what does not match by itself', async () => {
    const journal = aJournal(['old']);
    const selection = new Selection(high, true, journal.ask);
    const loan = [alert('old', 'low'), alert('a', 'high'), alert('b', 'low'), alert('b', 'low')];
    expect(await wanted(selection, ...loan)).toEqual([true, true, false, false]);
    expect(journal.asked).toEqual([['old', 'b']]);
  });

  it('R8: goes on with an id that matched in records that are not confirmed', async () => {
    const journal = aJournal();
    const selection = new Selection(high, true, journal.ask);
    const first = await followsOf(selection, alert('a', 'high'));
    selection.taken(first);
    const last = await followsOf(selection, alert('a', 'low', 'resolved'));
    expect(last).toMatchObject([{ id: 'a', on: false }]);
    selection.taken(last);
    expect(await wanted(selection, alert('a', 'low'))).toEqual([false]);
    // The first settles: the word of the last stands.
    journal.follows.add(first);
    selection.settled(first);
    expect(await wanted(selection, alert('a', 'low'))).toEqual([false]);
    expect(journal.asked).toEqual([]);
  });

  it('R8: what comes late begins to follow an id and never ends it', async () => {
    const selection = new Selection(high, true, aJournal(['b']).ask);
    expect(await followsOf(selection, alert('a', 'high', 'new', 'late'))).toMatchObject([{ on: true }]);
    for (const outcome of ['late', 'unrevised', 'repair', 'retry', 'replay'] as const)
      expect(await selection.choose([alert('b', 'low', 'resolved', outcome)])).toEqual([{ wanted: true }]);
    expect(await followsOf(selection, alert('b', 'low', 'resolved'))).toMatchObject([{ on: false }]);
  });

  it('G21: keeps ids apart by source and tenant', async () => {
    const selection = new Selection(high, true, aJournal(['a']).ask);
    const others = [
      aRecord({ id: 'a', severity: 'low' }, { tenant: 'fabrikam' }),
      aRecord({ id: 'a', severity: 'low' }, { source: 'other' }),
    ];
    expect(await wanted(selection, ...others, alert('a', 'low'))).toEqual([false, false, true]);
  });

  it('R8: decides alike however the records are cut, whatever is confirmed when, and after any crash', async () => {
    const ids = fc.constantFrom('a', 'b', 'c');
    const records = fc.array(
      fc
        .record({
          id: ids,
          severity: fc.constantFrom('low', 'high'),
          status: fc.constantFrom('new', 'resolved'),
          outcome: fc.constantFrom<Outcome>('new', 'update', 'late'),
        })
        .map(({ id, severity, status, outcome }) => alert(id, severity, status, outcome)),
      { minLength: 1, maxLength: 30 },
    );
    // How many are taken at a time; how many of the unconfirmed settle then; and then a crash.
    const course = fc.infiniteStream(
      fc.record({ take: fc.integer({ min: 1, max: 5 }), settle: fc.nat(5), crash: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(records, course, async (all, courses) => {
        const expected = byTheRule(all);
        const journal = aJournal();
        let selection = new Selection(high, true, journal.ask);
        let flights: { end: number; follow: Follow[] }[] = [];
        let done = 0;
        let at = 0;
        while (at < all.length) {
          const { take, settle, crash } = courses.next().value;
          const choices = await selection.choose(all.slice(at, at + take));
          for (const [index, choice] of choices.entries()) expect(choice.wanted).toBe(expected[at + index]);
          const follow = choices.flatMap((choice) => choice.follow ?? []);
          at += choices.length;
          selection.taken(follow);
          flights.push({ end: at, follow });
          for (const flight of flights.splice(0, settle)) {
            journal.follows.add(flight.follow);
            selection.settled(flight.follow);
            done = flight.end;
          }
          if (crash > 0) continue;
          selection = new Selection(high, true, journal.ask);
          flights = [];
          at = done;
        }
      }),
    );
  });
});

/** The rule in its plainest form, over all records from the first. */
function byTheRule(records: readonly RelayRecord[]): boolean[] {
  const open = new Set<string>();
  return records.map((record) => {
    const given = matches(high, record) || open.has(record.id);
    if (given && !isResolved(record)) open.add(record.id);
    else if (given && record.outcome !== 'late') open.delete(record.id);
    return given;
  });
}
