import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { pathsIn } from '../../src/journal/database.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, open } from './harness.ts';

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
