import { EventHubConsumerClient, earliestEventPosition, type ReceivedEventData } from '@azure/event-hubs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { eventHubs } from '../../src/sinks/event-hubs/index.ts';
import { rendered } from '../contracts/sink.contract.ts';
import { startEventHubs } from '../support/event-hubs/index.ts';
import { collectLog } from '../support/log.ts';
import type { EventHubsPeer } from './event-hubs-emulator.ts';
import { whyMissing } from './missing.ts';

const never = new AbortController().signal;

const peers = [
  { name: 'our stand-in', missing: undefined, start: async (): Promise<EventHubsPeer> => startEventHubs() },
  {
    name: 'the emulator',
    missing: whyMissing('the Event Hubs emulator'),
    start: async () => (await import('./event-hubs-emulator.ts')).startEmulator(),
  },
];

/** The same tests, so that what the stand-in says is what Microsoft's own program says. */
describe.each(peers)('event-hubs sink, read from $name by the SDK', ({ missing, start }) => {
  const closers = new Closers();
  let connectionString: string;
  // Images may have to be fetched first.
  beforeAll(async () => {
    if (missing) return;
    const hubs = closers.add('hubs', await start());
    connectionString = hubs.connectionString('alerts');
  }, 300_000);
  afterAll(() => closers.close());

  it.skipIf(missing)('every event comes once, as it was sent, and those of one alert in order', async () => {
    const settings = eventHubs.schema.parse({ type: 'event-hubs', connectionString });
    const credential = () => ({ token: async () => '', close() {} });
    const context = { name: 'hub', log: collectLog(), timeoutMs: 20_000, credential };
    const sink = closers.add('sink', eventHubs.create(settings, context));
    const batches = [0, 1, 2].map((batch) =>
      rendered(100, 1 + batch * 100, (number) => `{"number":${number},"text":"é\\n😀"}`).map((one, index) => {
        const id = `alert-${index % 7}`;
        return { ...one, record: { ...one.record, id } };
      }),
    );
    await sink.open(never);
    for (const batch of batches) {
      const receipt = await sink.send(batch, never);
      expect(await receipt.confirmed).toEqual({ refused: [] });
    }

    const reader = closers.add('reader', new EventHubConsumerClient('$Default', connectionString));
    const events: ReceivedEventData[] = [];
    await new Promise<void>((resolve, reject) => {
      reader.subscribe(
        {
          processEvents: async (some) => {
            events.push(...some);
            if (events.length >= 300) resolve();
          },
          processError: async (error) => reject(error),
        },
        { startPosition: earliestEventPosition },
      );
    });

    const texts = events.map(({ body }) => JSON.stringify(body)).toSorted();
    expect(texts).toEqual(
      batches
        .flat()
        .map(({ events: [text] }) => JSON.stringify(JSON.parse(String(text))))
        .toSorted(),
    );
    expect(events[0]).toMatchObject({
      contentType: 'application/json',
      properties: { kind: 'alert', tenant: 'contoso', part: 1, parts: 1 },
    });
    for (let id = 0; id < 7; id++) {
      const found = events.filter(({ correlationId }) => correlationId === `alert-${id}`);
      const numbers = found.map(({ properties }) => Number(properties?.sequence));
      expect(found.length).toBeGreaterThan(40);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(new Set(found.map(({ partitionKey }) => partitionKey)).size).toBe(1);
    }
  });
});
