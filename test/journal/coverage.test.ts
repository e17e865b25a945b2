import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { decodeRecords } from '../../src/journal/batch.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, MIB, open, START } from './harness.ts';

const NOW = Date.UTC(2025, 2, 4, 12);

const alert = (id: string, product: string) =>
  aSourceRecord({ id, createdDateTime: '2025-03-04T11:59:30Z' }, { product });

describe('the coverage that a journal keeps', () => {
  it('counts what was told, once, and knows it after a restart', async () => {
    using directory = aDirectory();
    let journal = await open(directory.state);
    const page = aPage([alert('a', 'microsoftSentinel'), alert('b', 'microsoftSentinel')], { dateMs: NOW });
    await journal.append(page);
    await journal.append(page);
    await journal.append(
      aPage([alert('c', 'microsoftSentinel')], { dateMs: NOW + 5_000, tenant: 'fabrikam' }),
    );
    const before = await journal.coverage();
    await journal.close();
    journal = await open(directory.state);
    const after = await journal.coverage();
    await journal.close();
    expect(after).toEqual(before);
    const createdMs = NOW - 30_000;
    expect(after).toMatchObject([
      {
        source: 'alerts',
        tenant: 'contoso',
        product: 'microsoftSentinel',
        firstSeenMs: NOW,
        lastSeenMs: NOW,
        records: 2,
        rhythm: { alerts: 2, firstMs: createdMs, lastMs: createdMs, longestGapMs: 0 },
      },
      { tenant: 'fabrikam', records: 1, firstSeenMs: NOW + 5_000 },
    ]);
    expect(after[0]!.lateness[4]).toBe(2);
  });

  it('has a row for each known product and one for all others', async () => {
    using directory = aDirectory();
    const journal = await open(directory.state);
    const names = Array.from({ length: 50 }, (_, index) => `product ${index}`);
    await journal.append(aPage(['microsoftSentinel', ...names].map((name) => alert(name, name))));
    const found = await journal.coverage();
    await journal.close();
    expect(found.map(({ product, records }) => [product, records])).toEqual([
      ['microsoftSentinel', 1],
      ['other', 50],
    ]);
  });

  it('is not worth losing a journal for', async () => {
    using directory = aDirectory();
    let journal = await open(directory.state);
    await journal.append(aPage([alert('a', 'microsoftSentinel')], { dateMs: NOW }));
    await journal.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec("UPDATE coverage SET lateness = '[1,'");
    database.close();
    journal = await open(directory.state);
    await journal.append(aPage([alert('b', 'microsoftSentinel')], { dateMs: NOW }));
    const [found] = await journal.coverage();
    await journal.close();
    expect(found).toMatchObject({ records: 2 });
    expect(found!.lateness[4]).toBe(1);
  });
});

describe('the daily word on coverage', () => {
  const DAY_MS = 86_400_000;

  it('D16: is told once a day, of what came since the last time, also after a restart', () => {
    using directory = aDirectory();
    let nowMs = NOW;
    const clock = { wall: () => nowMs, steady: () => nowMs };
    const options = { directory: directory.state, maxBytes: MIB, retentionMs: 7 * DAY_MS, version: '1.0.0' };
    const start = () => aStore(options, () => {}, clock);
    let store = start();
    const tell = () => {
      let told = false;
      store.commit(() => {
        told = store.tellCoverage();
      });
      return told;
    };
    const append = (...ids: string[]) =>
      store.commit(
        () =>
          void store.append(
            aPage(
              ids.map((id) => alert(id, 'microsoftSentinel')),
              { dateMs: nowMs },
            ),
          ),
      );
    append('a');
    expect(tell()).toBe(false);
    append('b', 'c');
    nowMs += DAY_MS - 1;
    expect(tell()).toBe(false);
    store.close();
    store = start();
    nowMs += 1;
    expect([tell(), tell()]).toEqual([true, false]);
    nowMs += DAY_MS;
    expect(tell()).toBe(true);
    const told = store
      .read(START)!
      .batches.flatMap(({ format, data }) => decodeRecords(format, data))
      .filter(({ kind }) => kind === 'relay')
      .map(({ body }) => body);
    store.close();
    expect(told).toEqual([
      {
        event: 'product-coverage',
        name: 'Product coverage',
        message: 'microsoftSentinel: 2 records since this was last told.',
        source: 'alerts',
        tenant: 'contoso',
        product: 'microsoftSentinel',
        since: '2025-03-04T12:00:00.000Z',
        lastSeen: '2025-03-04T12:00:00.000Z',
        count: 2,
        countedSince: '2025-03-04T12:00:00.000Z',
        usualSeconds: 0,
        longestSeconds: 0,
        latenessSeconds: 30,
      },
      expect.objectContaining({ count: 0, countedSince: '2025-03-05T12:00:00.000Z' }),
    ]);
  });

  it('is begun anew when what was told last cannot be read', async () => {
    using directory = aDirectory();
    let journal = await open(directory.state);
    await journal.tellCoverage();
    await journal.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec("UPDATE meta SET value = '{' WHERE key = 'coverage-told'");
    database.close();
    journal = await open(directory.state);
    await expect(journal.tellCoverage()).resolves.toBeUndefined();
    await journal.close();
  });
});
