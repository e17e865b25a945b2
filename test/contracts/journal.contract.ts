import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import type { Append, Cursor, Journal, Searched } from '../../src/core/journal.ts';
import { retold, type SourceRecord } from '../../src/core/record.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { aRecord, aSourceRecord } from '../support/records.ts';

export interface JournalHarness {
  readonly journal: Journal;
  /** Closes the journal if that has not been done, and opens it again from what was kept. */
  reopen(): Promise<Journal>;
  /** Closes and removes everything. */
  end(): Promise<void>;
}

/** What every journal promises, as code. `start` makes an empty one. */
export function describeJournalContract(name: string, start: () => Promise<JournalHarness>): void {
  const key = { source: 'alerts', tenant: 'contoso' };
  const begin: Cursor = { batch: 0, index: -1 };
  const never = new AbortController().signal;
  const siem = { name: 'siem', startFrom: 'now', shape: 'cef' } as const;

  const page = (records: readonly SourceRecord[], overrides: Partial<Append> = {}): Append => ({
    ...key,
    reading: 'poll',
    records,
    dateMs: undefined,
    checkpoint: 'somewhere',
    floor: 0n,
    updates: 'all',
    ...overrides,
  });
  const record = (id: string, revision: bigint, overrides: Partial<SourceRecord> = {}) =>
    aSourceRecord({ id }, { revision, created: 10n, ...overrides });

  describe(`${name} journal contract`, () => {
    let harness: JournalHarness;
    let journal: Journal;
    beforeEach(async () => {
      harness = await start();
      journal = harness.journal;
    });
    afterEach(() => harness.end());

    /** What was put in the journal, as (id, outcome, unrevised). */
    const told = async (from: Cursor = begin) => {
      const { records } = await journal.take(from, 1_000, never);
      return records.map(({ id, outcome, unrevised }) => [id, outcome, unrevised]);
    };

    it('opening says that there was none, then that there was one', async () => {
      expect(journal.opening).toMatchObject({ created: true, lastBatch: 0, records: 0 });
      await journal.append(page([record('a', 1n), record('b', 2n)]));
      journal = await harness.reopen();
      expect(journal.opening).toMatchObject({ created: false, records: 2 });
      expect(journal.opening.lastBatch).toBeGreaterThan(0);
    });

    it('append() keeps a record whole', async () => {
      const body = { id: 'a', title: 'é\u2028"\\', long: 18446744073709551615n, deep: [{ n: 1.5 }, null] };
      await journal.append(page([aSourceRecord(body, { severity: 'low', timeMs: 5 })]));
      const { records } = await journal.take(begin, 10, never);
      const whole = aRecord(body, { severity: 'low', timeMs: 5 });
      expect(records).toEqual([whole]);
    });

    it('append() keeps records and checkpoint together, per source and tenant', async () => {
      expect(await journal.checkpoint(key)).toBeUndefined();
      await journal.append(page([record('a', 1n)], { checkpoint: 'one' }));
      await journal.append(page([], { checkpoint: 'two' }));
      await journal.append(page([], { tenant: 'fabrikam', checkpoint: 'other' }));
      expect(await journal.checkpoint(key)).toBe('two');
      journal = await harness.reopen();
      expect(await journal.checkpoint(key)).toBe('two');
      expect(await journal.checkpoint({ ...key, tenant: 'fabrikam' })).toBe('other');
      expect(await journal.checkpoint({ ...key, source: 'incidents' })).toBeUndefined();
    });

    it('append() drops what is known, also after it was opened again', async () => {
      const records = [record('a', 1n), record('b', 2n)];
      const told = [0, 1].map((index) => ({ index, outcome: 'new' }));
      expect(await journal.append(page(records))).toEqual({ new: 2, duplicate: 0, filtered: 0, told });
      journal = await harness.reopen();
      expect(await journal.append(page(records))).toEqual({ new: 0, duplicate: 2, filtered: 0, told: [] });
    });

    it('G21: append() keeps records apart that differ in tenant, source, id or revision only', async () => {
      const same = [record('a', 1n)];
      await journal.append(page(same));
      await journal.append(page(same, { tenant: 'fabrikam' }));
      await journal.append(page(same, { source: 'incidents' }));
      await journal.append(page([record('a\u0000', 1n), record('a\ud800', 1n), record('a\udc00', 1n)]));
      await journal.append(page([record('a', 2n)]));
      expect((await journal.stats()).records).toBe(7);
    });

    it('G3: append() keeps all of a page that shares one revision, and none of them twice', async () => {
      const ties = Array.from({ length: 700 }, (_, index) => record(`a${index}`, 1n));
      expect((await journal.append(page(ties))).new).toBe(700);
      expect((await journal.append(page(ties.toReversed()))).duplicate).toBe(700);
    });

    it('append() says what a record is: new, update, late', async () => {
      await journal.append(page([record('a', 5n)]));
      await journal.append(page([record('a', 7n)]));
      await journal.append(page([record('a', 6n)]));
      await journal.append(page([record('a', 8n)]));
      expect(await told()).toEqual([
        ['a', 'new', 0],
        ['a', 'update', 0],
        ['a', 'late', 0],
        ['a', 'update', 0],
      ]);
    });

    it('append() keeps the order of an id when a page has it twice, in any order', async () => {
      await journal.append(page([record('a', 7n), record('b', 6n), record('a', 5n)]));
      expect(await told()).toEqual([
        ['a', 'new', 0],
        ['b', 'new', 0],
        ['a', 'update', 0],
      ]);
    });

    it('append() tells another body under the same revision three times and no more', async () => {
      const bodies = [1, 2, 3, 4, 5, 6].map((fingerprint) => record('a', 1n, { fingerprint }));
      expect(await journal.append(page(bodies))).toMatchObject({ new: 4, duplicate: 2, filtered: 0 });
      expect(await told()).toEqual([
        ['a', 'new', 0],
        ['a', 'unrevised', 1],
        ['a', 'unrevised', 2],
        ['a', 'unrevised', 3],
      ]);
    });

    it('append() with updates "none" tells the first sight only, and remembers the rest', async () => {
      const only = { updates: 'none', floor: 100n } as const;
      const old = record('old', 150n, { created: 10n });
      const fresh = [record('a', 150n, { created: 120n }), record('a', 160n, { created: 120n })];
      expect(await journal.append(page([old, ...fresh], only))).toMatchObject({
        new: 1,
        duplicate: 0,
        filtered: 2,
      });
      expect(await journal.append(page([old, ...fresh], only))).toMatchObject({
        new: 0,
        duplicate: 3,
        filtered: 0,
      });
      expect(await told()).toEqual([['a', 'new', 0]]);
    });

    it('R8: append() leaves out what the source’s filter does not want, until its id has been told', async () => {
      const unwanted = (id: string, revision: bigint) => record(id, revision, { unwanted: true });
      expect(await journal.append(page([unwanted('a', 1n)]))).toMatchObject({ new: 0, filtered: 1 });
      await journal.append(page([record('a', 2n)]));
      expect(await journal.append(page([unwanted('a', 3n)]))).toMatchObject({ new: 1, filtered: 0 });
      expect(await told()).toEqual([
        ['a', 'new', 0],
        ['a', 'update', 0],
      ]);
    });

    it('G8: append() keeps what could not be read as dead letters, until it has been read', async () => {
      const unreadAt = (at: bigint, to: bigint) => ({
        at,
        to,
        reason: 'unreadable' as const,
        detail: 'HTTP 500',
      });
      const unread = [unreadAt(5n, 6n), unreadAt(6n, 7n)];
      await journal.append(page([], { unread }));
      const count = async () => (await journal.stats()).deadLetters;
      expect(await count()).toEqual([{ kind: 'source', name: key.source, count: 2 }]);
      await journal.append(page([], { tenant: 'fabrikam', readAgain: [5n] }));
      await journal.append(page([record('a', 5n)], { readAgain: [5n] }));
      expect(await count()).toEqual([{ kind: 'source', name: key.source, count: 1 }]);
      // Another range that begins at the same time takes its place.
      await journal.append(page([], { readAgain: [6n], unread: [unreadAt(6n, 90n)] }));
      expect(await count()).toEqual([{ kind: 'source', name: key.source, count: 1 }]);
      await journal.append(page([record('b', 6n)], { readAgain: [6n] }));
      expect(await count()).toEqual([]);
    });

    it('register() lets a new sink begin at the end, or at the beginning', async () => {
      await journal.append(page([record('a', 1n)]));
      const positions = await journal.register([siem, { ...siem, name: 'all', startFrom: 'journal' }]);
      await journal.append(page([record('b', 2n)]));
      expect(await told(positions.get('siem')!.cursor)).toEqual([['b', 'new', 0]]);
      expect((await told(positions.get('all')!.cursor))[0]).toEqual(['a', 'new', 0]);
      expect(positions.get('siem')).toMatchObject({ sequence: 0 });
    });

    it('register() gives each sink a running number of its own, 31 bits', async () => {
      const positions = await journal.register([siem, { ...siem, name: 'other' }]);
      const streams = [...positions.values()].map(({ stream }) => stream);
      expect(new Set(streams).size).toBe(2);
      for (const stream of streams) expect(stream >= 1 && stream < 2 ** 31).toBe(true);
    });

    it('register() goes on from the cursor; another shape begins a new stream there', async () => {
      const first = (await journal.register([siem])).get('siem')!;
      await journal.append(page([record('a', 1n), record('b', 2n)]));
      const { ends } = await journal.take(first.cursor, 1, never);
      journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 3, refused: [] });
      journal = await harness.reopen();
      expect((await journal.register([siem])).get('siem')).toEqual({
        ...first,
        cursor: ends[0],
        sequence: 3,
      });
      const changed = (await journal.register([{ ...siem, shape: 'leef' }])).get('siem')!;
      expect(changed).toMatchObject({ cursor: ends[0], sequence: 0 });
      expect(changed.stream).not.toBe(first.stream);
    });

    it('register() keeps the cursor of a sink that has left the config, for its return', async () => {
      const first = (await journal.register([siem])).get('siem')!;
      await journal.register([{ ...siem, name: 'other' }]);
      await journal.append(page([record('a', 1n)]));
      expect((await journal.stats()).sinks.map(({ name: sink }) => sink)).toEqual(['other']);
      expect((await journal.register([siem])).get('siem')).toEqual(first);
    });

    it('take() goes through everything in steps of any size', async () => {
      const records = Array.from({ length: 600 }, (_, index) => record(`a${index}`, BigInt(index)));
      await journal.append(page(records));
      await journal.append(page([record('last', 900n)]));
      for (const limit of [1, 7, 256, 10_000]) {
        const found: string[] = [];
        let cursor = begin;
        while (found.at(-1) !== 'last') {
          const loan = await journal.take(cursor, limit, never);
          expect(loan.records.length).toBeGreaterThan(0);
          expect(loan.records.length).toBeLessThanOrEqual(limit);
          expect(loan.ends.length).toBe(loan.records.length);
          found.push(...loan.records.map(({ id }) => id));
          cursor = loan.ends.at(-1)!;
        }
        expect(found).toEqual([...records.map(({ id }) => id), 'last']);
      }
    });

    it('take() waits for records, and for several sinks at once', async () => {
      const taken = [journal.take(begin, 10, never), journal.take(begin, 10, never)];
      await journal.append(page([record('a', 1n)]));
      for (const loan of await Promise.all(taken)) expect(loan.records.map(({ id }) => id)).toEqual(['a']);
    });

    it('take() ends at its signal', async () => {
      const stop = new AbortController();
      const taken = journal.take(begin, 10, stop.signal);
      stop.abort();
      await expect(taken).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
      await expect(journal.take(begin, 10, stop.signal)).rejects.toThrow(
        expect.objectContaining({ name: 'AbortError' }),
      );
    });

    it('advance() is kept by flush(), and never moves a cursor back', async () => {
      const { cursor } = (await journal.register([siem])).get('siem')!;
      await journal.append(page([record('a', 1n), record('b', 2n), record('c', 3n)]));
      const { ends, records } = await journal.take(cursor, 3, never);
      const refused = [{ record: records[0]!, reason: 'rejected', detail: 'no' }] as const;
      journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
      journal.advance({ sink: 'siem', cursor: ends[1]!, sequence: 2, refused: [] });
      journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
      await journal.flush();
      journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
      await journal.flush();
      const stats = await journal.stats();
      expect(stats.sinks).toMatchObject([{ name: 'siem', pending: 1 }]);
      expect(stats.deadLetters).toEqual([{ kind: 'sink', name: 'siem', count: 1 }]);
      journal = await harness.reopen();
      expect((await journal.register([siem])).get('siem')).toMatchObject({ cursor: ends[1], sequence: 2 });
    });

    it('advance() refuses a sink that is not registered', () => {
      expect(() => journal.advance({ sink: 'x', cursor: begin, sequence: 0, refused: [] })).toThrow(/sink x/);
    });

    it('stats() counts what each sink has before it', async () => {
      const positions = await journal.register([siem, { ...siem, name: 'slow' }]);
      expect(await journal.stats()).toMatchObject({ pending: 0, records: 0, paused: false, deadLetters: [] });
      await journal.append(
        page(Array.from({ length: 300 }, (_, index) => record(`a${index}`, BigInt(index)))),
      );
      await journal.append(page([record('b', 400n)]));
      const { ends } = await journal.take(positions.get('siem')!.cursor, 200, never);
      journal.advance({ sink: 'siem', cursor: ends.at(-1)!, sequence: 200, refused: [] });
      await journal.flush();
      const stats = await journal.stats();
      expect(stats).toMatchObject({ pending: 301, records: 301 });
      expect(stats.sinks).toMatchObject([
        { name: 'siem', pending: 301 - ends.length },
        { name: 'slow', pending: 301 },
      ]);
      expect(stats.sinks[0]!.oldestPendingMs).toEqual(expect.any(Number));
      expect(stats.bytes).toBeGreaterThan(0);
      expect(stats.bytes).toBeLessThan(stats.limitBytes);
    });

    describe('appendFor()', () => {
      const wide = { ...siem, name: 'wide' };
      const again = (id: string, overrides: Partial<SourceRecord> = {}) =>
        retold(key, record(id, 1n, overrides));
      const all = async (from: Cursor, sink: string) => {
        const { records, ends } = await journal.take(from, 10, never, sink);
        return { cursor: ends.at(-1)!, told: records.map(({ id, outcome }) => [id, outcome]) };
      };

      it('K3: lends the records to their sink alone, whole, marked, and in their order', async () => {
        const positions = await journal.register([siem, wide]);
        const { cursor } = positions.get('siem')!;
        const body = { id: 'b', title: 'é\u2028"', long: 18446744073709551615n };
        const whole = retold(key, aSourceRecord(body));
        expect(await journal.appendFor('siem', 'replay', [again('z'), whole])).toBe('appended');
        expect(await journal.appendFor('siem', 'repair', [again('a')])).toBe('appended');
        await journal.append(page([record('c', 3n)]));
        expect((await journal.stats()).sinks.map(({ pending }) => pending)).toEqual([4, 1]);
        const { records, ends } = await journal.take(cursor, 10, never, 'siem');
        expect(records.map(({ id }) => id)).toEqual(['z', 'b']);
        expect(records[1]).toEqual(aRecord(body, { outcome: 'replay' }));
        const repair = await all(ends[1]!, 'siem');
        expect(repair.told).toEqual([['a', 'repair']]);
        expect((await all(repair.cursor, 'siem')).told).toEqual([['c', 'new']]);
        expect((await all(positions.get('wide')!.cursor, 'wide')).told).toEqual([['c', 'new']]);
      });

      it('is outside of what was seen, and of how each id stands', async () => {
        const { cursor } = (await journal.register([siem])).get('siem')!;
        await journal.append(page([record('a', 5n)]));
        await journal.appendFor('siem', 'replay', [again('a'), again('b', { revision: 9n })]);
        expect(await journal.append(page([record('a', 5n), record('b', 7n)]))).toMatchObject({
          new: 1,
          duplicate: 1,
        });
        await journal.append(page([record('a', 6n)]));
        const first = await all(cursor, 'siem');
        const replayed = await all(first.cursor, 'siem');
        expect([first.told, replayed.told, (await all(replayed.cursor, 'siem')).told]).toEqual([
          [['a', 'new']],
          [
            ['a', 'replay'],
            ['b', 'replay'],
          ],
          [
            ['b', 'new'],
            ['a', 'update'],
          ],
        ]);
      });

      it('wakes its sink, and is kept when it is opened again', async () => {
        const { cursor } = (await journal.register([siem])).get('siem')!;
        const waiting = all(cursor, 'siem');
        await journal.appendFor('siem', 'replay', [again('a')]);
        expect((await waiting).told).toEqual([['a', 'replay']]);
        journal = await harness.reopen();
        expect((await all(cursor, 'siem')).told).toEqual([['a', 'replay']]);
      });

      it('appends nothing for a sink that is not there, or has left the config', async () => {
        await journal.register([siem, wide]);
        await journal.register([siem]);
        expect(await journal.appendFor('wide', 'replay', [again('a')])).toBe('no-sink');
        expect(await journal.appendFor('nobody', 'replay', [again('a')])).toBe('no-sink');
        expect(await journal.stats()).toMatchObject({ pending: 0 });
      });
    });

    describe('search() and recordsAt()', () => {
      const now = ticksOfMs(Date.now());
      const times = (from: bigint, to: bigint) => ({ from: now + from, to: now + to });
      const find = async (range: { from: bigint; to: bigint }) => {
        const places: Cursor[] = [];
        for (let after: number | undefined = 0; after !== undefined; ) {
          const piece: Searched = await journal.search({ ...range, after });
          places.push(...piece.found.map(({ place }) => place));
          after = piece.after;
        }
        return places;
      };
      const idsAt = async (places: readonly Cursor[]) => {
        const ids: string[] = [];
        for (let next = 0; next < places.length; ) {
          const { records, places: taken } = await journal.recordsAt(places.slice(next));
          expect(taken).toBeGreaterThan(0);
          ids.push(...records.map(({ id }) => id));
          next += taken;
        }
        return ids;
      };

      it('find what was updated in a range, delivered or not, and give it whole', async () => {
        const { cursor } = (await journal.register([siem])).get('siem')!;
        const body = { id: 'b', title: 'é\u2028"', long: 18446744073709551615n };
        const b = aSourceRecord(body, { revision: now + 1n });
        await journal.append(page([record('a', now), b, record('c', now + 2n)]));
        await journal.append(page([record('d', now + 1n)]));
        const { ends } = await journal.take(cursor, 2, never);
        journal.advance({ sink: 'siem', cursor: ends[1]!, sequence: 2, refused: [] });
        expect(await idsAt(await find(times(0n, 3n)))).toEqual(['a', 'b', 'c', 'd']);
        expect(await idsAt(await find(times(1n, 2n)))).toEqual(['b', 'd']);
        expect(await find(times(3n, 9n))).toEqual([]);
        const { records } = await journal.recordsAt(await find(times(1n, 2n)));
        expect(records[0]).toEqual(retold(key, b));
      });

      it('give as many as make about one batch, in the order asked for', async () => {
        const many = Array.from({ length: 700 }, (_, index) => record(`a${index}`, now + BigInt(index)));
        await journal.append(page(many));
        const places = await find(times(0n, 700n));
        const ids = many.map(({ id }) => id);
        expect(await idsAt(places)).toEqual(ids);
        expect(await idsAt(places.toReversed())).toEqual(ids.toReversed());
      });

      it('K3: do not see what is a copy for one sink', async () => {
        await journal.register([siem]);
        await journal.append(page([record('a', now)]));
        await journal.appendFor('siem', 'replay', [retold(key, record('b', now))]);
        expect(await idsAt(await find(times(0n, 9n)))).toEqual(['a']);
      });

      it('tell of an empty journal, and give nothing of what is not there', async () => {
        expect(await journal.search({ ...times(0n, 9n), after: 0 })).toEqual({
          found: [],
          broken: 0,
          after: undefined,
          sinceMs: undefined,
        });
        const places = [{ batch: 7, index: 0 }];
        expect(await journal.recordsAt(places)).toEqual({ places: 1, records: [] });
      });
    });

    describe('with a dead letter', () => {
      const wide = { ...siem, name: 'wide' };
      let cursors: Record<'siem' | 'wide', Cursor>;

      /** Sink siem has refused a, has been told b, and goes on behind it; sink wide stands at the beginning. */
      beforeEach(async () => {
        const positions = await journal.register([siem, wide]);
        await journal.append(page([record('a', 1n), record('b', 2n)]));
        const { cursor } = positions.get('siem')!;
        const { ends, records } = await journal.take(cursor, 2, never);
        const refused = [{ record: records[0]!, reason: 'rejected', detail: 'no' }] as const;
        journal.advance({ sink: 'siem', cursor: ends[1]!, sequence: 2, refused });
        await journal.flush();
        cursors = { siem: ends[1]!, wide: cursor };
      });
      const counts = async () => {
        const { sinks, deadLetters } = await journal.stats();
        return [...sinks.map(({ pending }) => pending), deadLetters[0]?.count ?? 0];
      };
      const lent = async (sink: 'siem' | 'wide') => {
        const loan = await journal.take(cursors[sink], 10, never, sink);
        cursors[sink] = loan.ends.at(-1)!;
        return loan.records.map(({ id, outcome }) => [id, outcome]);
      };

      it('K3: retry() lends it to its sink again, marked, and to no other one', async () => {
        expect(await counts()).toEqual([0, 2, 1]);
        expect(await journal.retry({ sink: 'siem' })).toEqual({ done: [1], left: [] });
        await journal.append(page([record('c', 3n)]));
        expect(await counts()).toEqual([2, 3, 0]);
        expect(await lent('siem')).toEqual([['a', 'retry']]);
        expect(await lent('siem')).toEqual([['c', 'new']]);
        expect(await lent('wide')).toEqual([
          ['a', 'new'],
          ['b', 'new'],
        ]);
        expect(await lent('wide')).toEqual([['c', 'new']]);
      });

      it('retry() wakes its sink, which waits at the end', async () => {
        const waiting = lent('siem');
        await journal.retry({ ids: [1] });
        expect(await waiting).toEqual([['a', 'retry']]);
      });

      it('K5: advance() goes over what was retried, and its numbers are kept apart', async () => {
        const before = (await journal.register([siem, wide])).get('siem')!;
        await journal.retry({ sink: 'siem' });
        await lent('siem');
        const apart = { ...before.apart!, sequence: 1 };
        journal.advance({ sink: 'siem', cursor: cursors.siem, sequence: 2, apart, refused: [] });
        journal = await harness.reopen();
        expect((await journal.register([siem, wide])).get('siem')).toEqual({
          ...before,
          cursor: cursors.siem,
          apart,
        });
        expect(await counts()).toEqual([0, 2, 0]);
      });

      it('drop() lets go of it', async () => {
        expect(await journal.drop({ ids: [1, 7] })).toEqual({
          done: [1],
          left: [{ id: 7, why: 'there is no such dead letter' }],
        });
        expect(await counts()).toEqual([0, 2, 0]);
      });

      it('retry() and drop() leave what a source could not read', async () => {
        await journal.append(page([], { unread: [{ at: 5n, to: 6n, reason: 'unreadable', detail: '' }] }));
        for (const handle of [journal.retry, journal.drop]) {
          expect(await handle.call(journal, { ids: [2] })).toEqual({
            done: [],
            left: [{ id: 2, why: 'it is of source alerts, which reads it again by itself' }],
          });
        }
      });

      it('retry() leaves what is of a sink that has left', async () => {
        await journal.register([wide]);
        const why = 'sink siem is not in the config';
        expect(await journal.retry({ sink: 'siem' })).toEqual({ done: [], left: [{ id: 1, why }] });
        await journal.forget('siem');
        const gone = 'the journal has no sink siem';
        expect(await journal.retry({ sink: 'siem' })).toEqual({ done: [], left: [{ id: 1, why: gone }] });
      });
    });

    it('tell() journals a record for every sink, in its place, that is there after flush() and for good', async () => {
      const { cursor } = (await journal.register([siem])).get('siem')!;
      const waiting = journal.take(cursor, 10, never, 'siem');
      journal.tell({ kind: 'sink-failing', sink: 'other', reason: 'network', sinceMs: 0, count: 1 });
      await journal.flush();
      const [own] = (await waiting).records;
      expect(own).toMatchObject({ kind: 'relay', id: 'sink:other', body: { event: 'sink-failing' } });
      await journal.append(page([record('a', 1n)]));
      journal = await harness.reopen();
      expect((await journal.take(cursor, 10, never)).records).toEqual([
        own,
        expect.objectContaining({ id: 'a' }),
      ]);
    });

    it('tell() never throws, also when there is no journal any more', async () => {
      await journal.close();
      expect(() => journal.tell({ kind: 'queue-resumed', sinceMs: 0 })).not.toThrow();
    });

    it('K8: forget() lets go of a sink that has left, and of another one only when told so', async () => {
      await journal.register([siem, { ...siem, name: 'old' }]);
      expect(await journal.forget('old')).toBe('configured');
      await journal.register([siem]);
      expect(await journal.forget('old')).toBe('forgotten');
      expect(await journal.forget('old')).toBe('unknown');
      expect(await journal.forget('siem', 'always')).toBe('forgotten');
    });

    it('room() is there as long as the journal is not full', async () => {
      await expect(journal.room(never)).resolves.toBeUndefined();
    });

    it('close() stores what was noted, is safe twice, and ends everything else', async () => {
      const { cursor } = (await journal.register([siem])).get('siem')!;
      await journal.append(page([record('a', 1n)]));
      const { ends } = await journal.take(cursor, 1, never);
      journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused: [] });
      const waiting = journal.take(ends[0]!, 1, never);
      await Promise.all([journal.close(), expect(waiting).rejects.toBeInstanceOf(JournalError)]);
      await journal.close();
      await expect(journal.append(page([]))).rejects.toBeInstanceOf(JournalError);
      await expect(journal.checkpoint(key)).rejects.toBeInstanceOf(JournalError);
      await expect(journal.room(never)).rejects.toBeInstanceOf(JournalError);
      await expect(journal.flush()).rejects.toBeInstanceOf(JournalError);
      await expect(journal.stats()).rejects.toBeInstanceOf(JournalError);
      journal = await harness.reopen();
      expect((await journal.register([siem])).get('siem')).toMatchObject({ cursor: ends[0], sequence: 1 });
    });
  });
}
