import { expect, it } from 'vitest';
import { aDirectory, aPage, open, someRecords } from './harness.ts';

const sink = (name: string, more = {}) => ({ name, startFrom: 'journal', shape: 'cef', ...more }) as const;
const soon = () => AbortSignal.timeout(9_000);

it('K8: a sink that gets another name while others go on is given what was meant for it alone', async () => {
  using directory = aDirectory();
  const journal = await open(directory.state);
  const first = (await journal.register([sink('old'), sink('other')])).get('old')!;
  await journal.append(aPage(someRecords(['a'])));
  const { records, ends } = await journal.take(first.cursor, 1, soon());
  const refused = [{ record: records[0]!, reason: 'rejected', detail: 'no' }] as const;
  journal.advance({ sink: 'old', cursor: ends[0]!, sequence: 1, refused });
  await journal.flush();
  await journal.retry({ sink: 'old' });
  // Somebody has looked at it, under its old name.
  expect((await journal.peek(ends[0]!, 1, soon(), 'old'))?.records).toHaveLength(1);

  const positions = await journal.register([sink('new', { formerly: 'old' }), sink('other')]);
  const { cursor } = positions.get('new')!;
  expect((await journal.peek(cursor, 1, soon(), 'new'))?.records).toMatchObject([{ outcome: 'retry' }]);
  await journal.close();
});

it('K8: a sink that stays keeps what it has noted and is not yet on disk', async () => {
  using directory = aDirectory();
  const journal = await open(directory.state);
  const { cursor } = (await journal.register([sink('stays')])).get('stays')!;
  await journal.append(aPage(someRecords(['a', 'b'])));
  const { records, ends } = await journal.take(cursor, 2, soon());
  const { source, tenant, id, revision } = records[1]!;
  const registering = journal.register([sink('stays'), sink('comes')]);
  // Notes on while the journal is told of the new one.
  await Promise.resolve();
  journal.advance({
    sink: 'stays',
    cursor: ends[1]!,
    sequence: 2,
    refused: [],
    follow: [{ source, tenant, id, revision, on: true }],
  });
  await registering;
  expect(await journal.follows('stays', [{ source, tenant, id }])).toEqual([true]);
  // An older step than the one that was noted changes nothing.
  journal.advance({ sink: 'stays', cursor: ends[0]!, sequence: 1, refused: [] });
  await journal.flush();
  expect((await journal.stats()).sinks).toMatchObject([
    { name: 'comes', pending: 2 },
    { name: 'stays', pending: 0 },
  ]);
  await journal.close();
});
