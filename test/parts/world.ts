import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { Cursor, Journal, SinkRegistration } from '../../src/core/journal.ts';
import type { Match } from '../../src/core/match.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import type { Comparable } from '../../src/parts/comparable.ts';
import type { GraphAlertsSettings } from '../../src/sources/graph-alerts/source.ts';
import { aDirectory, open } from '../journal/harness.ts';
import { scene } from '../support/alerts-scene.ts';
import type { ModelAlert } from '../support/model-graph.ts';

const MINUTE_MS = 60_000;

/** A model of Graph, a source that reads it, and a journal of which sinks take when they are told to. */
export async function aWorld(
  registrations: readonly (Pick<SinkRegistration, 'name'> & Partial<SinkRegistration>)[],
  settings: Partial<GraphAlertsSettings> & { readonly maxBytes?: number } = {},
) {
  const { maxBytes, ...rest } = settings;
  const directory = aDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const journal = await open(directory.state, maxBytes === undefined ? {} : { maxBytes });
  onTestFinished(() => journal.close());
  const { graph, source, world, stop } = scene(rest);
  const matches = new Map<string, Match>();
  const cursors = new Map<string, Cursor>();
  const register = async (changes: Partial<SinkRegistration> = {}) => {
    const sinks = registrations.map((each) => ({
      startFrom: 'journal' as const,
      shape: 'cef',
      ...each,
      ...changes,
    }));
    for (const [name, { cursor }] of await journal.register(sinks)) cursors.set(name, cursor);
  };
  await register();
  const key = { source: 'alerts', tenant: 'contoso' };

  /** One whole reading. */
  const read = async () => {
    const before = await journal.checkpoint(key);
    for await (const page of source.read(before, stop.signal)) {
      const { reading, records, dateMs, checkpoint, floor } = page;
      await journal.append({ ...key, reading, records, dateMs, checkpoint, floor, updates: 'all' });
    }
  };
  return {
    graph,
    journal,
    key,
    matches,
    register,
    now: () => world.now,
    /** Time goes on, and the source reads every so often. */
    async goOn(minutes: number, every = 10) {
      for (let passed = 0; passed < minutes; passed += every) {
        world.now += every * MINUTE_MS;
        await read();
      }
    },
    pass(ms: number) {
      world.now += ms;
    },
    read,
    /** Everything that waits for a sink, which takes it, but for what it does not want. */
    async take(sink: string, wants: (record: RelayRecord) => boolean = () => true): Promise<RelayRecord[]> {
      const taken: RelayRecord[] = [];
      for (;;) {
        const from = journal.movedTo(sink)?.cursor ?? cursors.get(sink)!;
        const cursor = compare(cursors.get(sink)!, from) > 0 ? cursors.get(sink)! : from;
        const loan = await journal.peek(cursor, 200, stop.signal, sink);
        if (!loan) break;
        let after = cursor;
        const withheld = loan.records.flatMap((record, n) => {
          const upTo = loan.ends[n]!;
          const step = { after, upTo, why: 'filtered' } as const;
          after = upTo;
          return wants(record) ? [] : [step];
        });
        journal.advance({ sink, cursor: after, sequence: 1, refused: [], withheld });
        cursors.set(sink, after);
        taken.push(...loan.records.filter(wants));
      }
      await journal.flush();
      return taken;
    },
    comparable: (): Comparable => ({
      sources: [{ name: 'alerts', source, updates: 'all' }],
      sinks: registrations.map(({ name }) => ({ name, match: matches.get(name) ?? {} })),
    }),
  };
}

export type World = Awaited<ReturnType<typeof aWorld>>;

const compare = (a: Cursor, b: Cursor): number => a.batch - b.batch || a.index - b.index;

export const task = () => ({ signal: new AbortController().signal, progress: () => {} });
export const idsOf = (records: readonly Pick<RelayRecord, 'id'>[]) => records.map(({ id }) => id).sort();
/** An alert whose text takes room in the journal. */
export const large = (alert: ModelAlert, bytes = 10_000): ModelAlert =>
  Object.assign(alert, { description: randomBytes(bytes).toString('base64') });

/** Told to a journal of which the rest is as it was. */
export function hearing(journal: Journal) {
  const told: Parameters<Journal['tell']>[0][] = [];
  const heard = new Proxy(journal, {
    get(target, name) {
      if (name === 'tell') return (event: (typeof told)[number]) => void told.push(event);
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { journal: heard, told };
}
