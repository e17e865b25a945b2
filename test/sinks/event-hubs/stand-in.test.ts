import {
  EventHubConsumerClient,
  EventHubProducerClient,
  earliestEventPosition,
  type ReceivedEventData,
} from '@azure/event-hubs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closers } from '../../../src/lib/closers.ts';
import { type EventHubs, startEventHubs } from '../../support/event-hubs/index.ts';

describe('the stand-in for Event Hubs, to the SDK', () => {
  let closers: Closers;
  let hubs: EventHubs;
  beforeEach(async () => {
    closers = new Closers();
    hubs = closers.add('hubs', await startEventHubs({ hubs: { alerts: 2 } }));
  });
  afterEach(() => closers.close());

  const producer = () => closers.add('producer', new EventHubProducerClient(hubs.connectionString('alerts')));
  const consumer = () =>
    closers.add('consumer', new EventHubConsumerClient('$Default', hubs.connectionString('alerts')));

  it('tells what a hub and its partitions are', async () => {
    const client = producer();
    expect(await client.getEventHubProperties()).toMatchObject({ name: 'alerts', partitionIds: ['0', '1'] });
    await client.sendBatch([{ body: 'a' }, { body: 'b' }], { partitionId: '1' });
    expect(await client.getPartitionProperties('1')).toMatchObject({
      lastEnqueuedSequenceNumber: 1,
      isEmpty: false,
    });
    expect(await client.getPartitionProperties('0')).toMatchObject({ isEmpty: true });
  });

  it('serves a partition from its beginning, and from behind an offset or sequence number', async () => {
    await producer().sendBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }], { partitionId: '0' });
    const readFrom = async (startPosition: object, count: number) => {
      const events: ReceivedEventData[] = [];
      const client = consumer();
      const { promise: done, resolve, reject } = Promise.withResolvers<void>();
      const subscription = client.subscribe(
        '0',
        {
          async processEvents(received) {
            events.push(...received);
            if (events.length >= count) resolve();
          },
          async processError(error) {
            reject(error);
          },
        },
        { startPosition, maxWaitTimeInSeconds: 1 },
      );
      await done;
      await subscription.close();
      return events;
    };
    const all = await readFrom(earliestEventPosition, 3);
    expect(all.map(({ body }) => body)).toEqual(['a', 'b', 'c']);
    expect(all.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1, 2]);
    const offset = all[0]?.offset;
    expect((await readFrom({ offset }, 2)).map(({ body }) => body)).toEqual(['b', 'c']);
    expect((await readFrom({ sequenceNumber: 1 }, 1)).map(({ body }) => body)).toEqual(['c']);
    expect(all[0]?.enqueuedTimeUtc).toBeInstanceOf(Date);
  });
});
