import { UnavailableError } from '../../core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { oneLine } from '../../lib/one-line.ts';
import { abortError, orAbort } from '../../lib/wait.ts';
import type { TlsClient } from '../../net/tls.ts';
import { eventsOf, type Group, groupsOf, type KeyOf } from './events.ts';
import { isTooLarge, type Place, refusalOf, unavailable } from './explain.ts';
import type { EventDataBatch, Producer } from './producer.ts';

/** How the sink comes to a producer, and what messages call the place. */
export interface Opening {
  readonly place: Place;
  open(signal: AbortSignal): Promise<Producer>;
}

export interface EventHubsSinkOptions {
  /**
   * Made for each connection: secrets change.
   *
   * @throws {UnavailableError} the settings lead nowhere
   */
  readonly opening: () => Opening;
  readonly keyOf: KeyOf;
  readonly tls: Pick<TlsClient, 'notes' | 'remind'>;
  /** Bounds each step, milliseconds. */
  readonly timeoutMs: number;
}

const BOUNDLESS: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
/** Groups that are on their way at a time. Each waits for its answer, and one of a far region takes its time. */
const MOST_AT_ONCE = 16;
/** What properties, ids and the batch take, in bytes, at most: what is smaller by so much fits for certain. */
const OVERHEAD_BYTES = 2048;

type Refused = SendResult['refused'][number];
type Indexed = Group['records'][number];

/** Records that stand or fall together, and what carries them: more than one batch only for a record that needs them. */
interface Unit {
  readonly records: Indexed[];
  readonly batches: EventDataBatch[];
}

interface Session extends Opening {
  readonly producer: Producer;
}

/**
 * Event Hubs by AMQP. A send resolves when the broker has accepted all of it, so it is confirmed by then. Records of one
 * partition key go one after another; those of different keys side by side. When some of a send fails the whole is sent
 * again, without what is known to be accepted: else a throttled hub would be sent the same again and again.
 */
export class EventHubsSink implements Sink {
  readonly headerBytes = 0;
  readonly confirms = 'broker';
  readonly #options: EventHubsSinkOptions;
  #session: Session | undefined;
  /** Accepted in a send that failed as a whole. */
  readonly #accepted = new Set<string>();

  constructor(options: EventHubsSinkOptions) {
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#session?.producer.ended.aborted === false) return;
    await this.close();
    const opening = this.#options.opening();
    const producer = await opening.open(signal);
    const session = { ...opening, producer };
    try {
      // Shows the token and opens the link.
      await this.#step('connecting', session, signal, (abortSignal) =>
        producer.client.createBatch({ abortSignal }),
      );
    } catch (error) {
      await producer.close();
      throw error;
    }
    this.#session = session;
  }

  notes(): readonly string[] {
    return this.#options.tls.notes();
  }

  async send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    if (signal.aborted) throw abortError(signal);
    this.#options.tls.remind();
    const session = await this.#current(signal);
    const groups = groupsOf(batch, this.#options.keyOf).values();
    const refused: Refused[] = [];
    const failures: unknown[] = [];
    const work = async () => {
      for (const group of groups) {
        if (failures.length > 0) return;
        try {
          refused.push(...(await this.#sendGroup(group, session, signal)));
        } catch (error) {
          failures.push(error);
        }
      }
    };
    // What is under way ends before the failure of one is told: what it comes to must be known.
    await Promise.all(Array.from({ length: MOST_AT_ONCE }, work));
    if (failures.length > 0) throw failures[0];
    for (const rendered of batch) this.#accepted.delete(identityOf(rendered));
    refused.sort((a, b) => a.index - b.index);
    return { confirmed: Promise.resolve({ refused }) };
  }

  /** Idle links are detached, and nodes restarted: nothing was on its way, so nobody need hear of it. */
  async #current(signal: AbortSignal): Promise<Session> {
    if (this.#session) await this.open(signal);
    if (!this.#session) throw new UnavailableError('the sink is closed', { reason: 'other' });
    return this.#session;
  }

  messages({ events }: Rendered): readonly Buffer[] {
    return events.map(oneLine);
  }

  window(): Room {
    return BOUNDLESS;
  }

  async confirm(): Promise<void> {}

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.producer.close();
  }

  async #sendGroup({ key, records }: Group, session: Session, signal: AbortSignal): Promise<Refused[]> {
    const fresh = records.filter(({ rendered }) => !this.#accepted.has(identityOf(rendered)));
    const newBatch = () => this.#newBatch(key, session, signal);
    if (fresh.length === 0) return [];
    const first = await newBatch();
    const { fitting, refused } = await this.#measure(fresh, first.maxSizeInBytes, newBatch);
    let unit: Unit = { records: [], batches: [first] };
    for (const record of fitting) {
      if (unit.records.length > 0 && !hasRoom(unit, this.#sizeOf(record))) {
        refused.push(...(await this.#sendUnit(unit, session, signal, newBatch)));
        unit = { records: [], batches: [await newBatch()] };
      }
      await this.#add(record, unit, newBatch);
    }
    if (unit.records.length > 0) refused.push(...(await this.#sendUnit(unit, session, signal, newBatch)));
    return refused;
  }

  /** Sets aside records with an event that no batch takes, before anything of them is sent. */
  async #measure(records: readonly Indexed[], mostBytes: number, newBatch: () => Promise<EventDataBatch>) {
    const refused: Refused[] = [];
    const fitting: Indexed[] = [];
    for (const record of records) {
      let why: string | undefined;
      for (const event of eventsOf(record.rendered, this.messages(record.rendered))) {
        const bytes = event.body.length;
        if (bytes + OVERHEAD_BYTES <= mostBytes || (await newBatch()).tryAdd(event)) continue;
        why = `an event of it has ${bytes} bytes, and the event hub takes ${mostBytes} with all that goes with it; lower maxEventBytes`;
      }
      if (why === undefined) fitting.push(record);
      else refused.push({ index: record.index, reason: 'too-large', detail: why });
    }
    return { fitting, refused };
  }

  #sizeOf({ rendered }: Indexed): number {
    return this.messages(rendered).reduce((sum, text) => sum + text.length + OVERHEAD_BYTES, 0);
  }

  async #add(record: Indexed, unit: Unit, newBatch: () => Promise<EventDataBatch>): Promise<void> {
    unit.records.push(record);
    for (const event of eventsOf(record.rendered, this.messages(record.rendered))) {
      if (unit.batches.at(-1)?.tryAdd(event)) continue;
      const next = await newBatch();
      // Measured before: to go on would be to lose it.
      if (!next.tryAdd(event)) throw new Error(`an event of ${record.rendered.record.id} fits no batch`);
      unit.batches.push(next);
    }
  }

  /** Sends a unit. One that is refused is sent again record by record, to know which of them it is. */
  async #sendUnit(
    unit: Unit,
    session: Session,
    signal: AbortSignal,
    newBatch: () => Promise<EventDataBatch>,
  ): Promise<Refused[]> {
    const { place, producer } = session;
    const { records, batches } = unit;
    try {
      for (const batch of batches)
        await this.#step('sending', session, signal, (abortSignal) =>
          producer.client.sendBatch(batch, { abortSignal }),
        );
      for (const { rendered } of records) this.#note(rendered);
      return [];
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const [only] = records;
      if (records.length === 1 && only) {
        const reason = isTooLarge(error.cause) ? 'too-large' : 'rejected';
        return [{ index: only.index, reason, detail: `${place.name}: ${error.message}` }];
      }
    }
    const refused: Refused[] = [];
    for (const record of records) {
      const alone: Unit = { records: [], batches: [await newBatch()] };
      await this.#add(record, alone, newBatch);
      refused.push(...(await this.#sendUnit(alone, session, signal, newBatch)));
    }
    return refused;
  }

  /** A heartbeat has no number of its own (S7). */
  #note(rendered: Rendered): void {
    if (rendered.record.kind !== 'heartbeat') this.#accepted.add(identityOf(rendered));
  }

  #newBatch(partitionKey: string | undefined, session: Session, signal: AbortSignal) {
    return this.#step('sending', session, signal, (abortSignal) =>
      session.producer.client.createBatch({
        abortSignal,
        ...(partitionKey !== undefined && { partitionKey }),
      }),
    );
  }

  /** Runs a step of the SDK, which ends in time whatever the SDK does. */
  async #step<T>(
    doing: string,
    { place, producer }: Session,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { timeoutMs } = this.#options;
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(), timeoutMs);
    const any = AbortSignal.any([signal, overdue.signal, producer.ended]);
    try {
      return await orAbort(run(any), any);
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      if (overdue.signal.aborted) {
        const message = `${doing} to ${place.name} failed: no answer within ${timeoutMs} ms`;
        throw new UnavailableError(message, { reason: 'timeout' });
      }
      const refusal = isTooLarge(error) ? 'larger than the event hub takes' : refusalOf(error, place);
      if (refusal !== undefined) throw new RefusedError(refusal, { cause: error });
      if (producer.ended.aborted) {
        const message = `${doing} to ${place.name} failed: the far end took its leave; what is not confirmed is sent again`;
        throw new UnavailableError(message, { reason: 'network' });
      }
      throw unavailable(doing, error, place);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The event hub will not have what it was sent. */
class RefusedError extends Error {}

/** The running number is the record's own, also when it is sent again (S6). */
const identityOf = ({ stream, sequence, record }: Rendered): string => `${stream} ${sequence} ${record.id}`;

function hasRoom({ batches }: Unit, bytes: number): boolean {
  const [first] = batches;
  return batches.length === 1 && first !== undefined && first.sizeInBytes + bytes <= first.maxSizeInBytes;
}
