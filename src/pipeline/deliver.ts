import PQueue from 'p-queue';
import type { Format } from '../core/format.ts';
import type { Journal, Position, Refusal } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import type { Receipt, Room, SendResult, Sink } from '../core/sink.ts';
import type { Stop } from '../lib/stop.ts';
import { isAbort, orAbort } from '../lib/wait.ts';
import { type Batch, render } from './render.ts';

export interface DeliverOptions {
  /** Configured name of the sink. */
  readonly name: string;
  readonly sink: Sink;
  readonly format: Format;
  readonly journal: Pick<Journal, 'take' | 'advance'>;
  /** Where the sink goes on from. */
  readonly from: Position;
  /** Most records in one send. */
  readonly batchSize: number;
  /** Upper bound for what is written and not confirmed, whatever the sink has room for (S1). */
  readonly window: Room;
  /** Most sends at a time. */
  readonly maxInFlight: number;
  /** Most bytes of an event with its header (S5). */
  readonly maxEventBytes: number;
  readonly now: () => number;
  readonly observer: DeliverObserver;
}

export interface DeliverObserver {
  connected(connected: boolean): void;
  /** One send was written, after so many milliseconds. */
  sent(ms: number): void;
  delivered(records: readonly RelayRecord[]): void;
  refused(refusals: readonly Refusal[]): void;
  /** Records that are written and not confirmed. */
  unconfirmed(records: number): void;
}

/** What was asked of the sink and has not been answered for; all in the order of the journal. */
interface Flight {
  readonly batch: Batch;
  readonly receipt: Promise<Receipt>;
}

const NOTHING: SendResult = { refused: [] };

/**
 * Journal → format → sink. The returned task is one session: it opens the sink, writes on while there is room,
 * and settles receipts in order; it ends well at `stop.soft`, after a last confirmation, or throws what broke
 * the session. Run again, it goes on from the first record that is not confirmed.
 *
 * Three places matter, in this order in time:
 * - `written`: handed to the sink. Lost with the session.
 * - `done`: the far end has taken responsibility for all up to here. Lost with the process at most as far as
 *   the journal has not yet committed it (100 ms); then it is sent again, under the same running numbers.
 * - the journal's cursor: `done`, on disk.
 */
export function delivery(options: DeliverOptions): (stop: Stop, healthy: () => void) => Promise<void> {
  let done = options.from;
  return (stop, healthy) =>
    session(options, done, stop, (position) => {
      done = position;
      healthy();
    });
}

async function session(
  options: DeliverOptions,
  from: Position,
  stop: Stop,
  settled: (position: Position) => void,
): Promise<void> {
  const { name, sink, journal, observer, format } = options;
  const { headerBytes } = sink;
  const rendering = { format, headerBytes, maxBytes: options.maxEventBytes - headerBytes };
  const broken = new AbortController();
  const writing = AbortSignal.any([stop.soft, broken.signal]);
  const sending = AbortSignal.any([stop.hard, broken.signal]);
  const queue = new PQueue({ concurrency: options.maxInFlight });
  const unconfirmed = new Tally(observer.unconfirmed);
  const unwritten = new Tally();
  let written = from;
  let settling: Promise<void> = Promise.resolve();

  const settle = async ({ batch, receipt }: Flight): Promise<void> => {
    const result = await (await receipt).confirmed;
    const refused = [...batch.refused, ...refusalsOf(batch, result)];
    // Only now: a crash above this line sends twice, it never forgets.
    journal.advance({ sink: name, cursor: batch.end.cursor, sequence: batch.end.sequence, refused });
    settled(batch.end);
    unconfirmed.subtract(batch);
    if (refused.length > 0) observer.refused(refused);
    const lost = new Set(result.refused.map(({ index }) => index));
    observer.delivered(batch.rendered.flatMap(({ record }, index) => (lost.has(index) ? [] : [record])));
  };

  const sendNow = async (batch: Batch): Promise<Receipt> => {
    if (batch.rendered.length === 0) return { confirmed: Promise.resolve(NOTHING) };
    const started = options.now();
    const receipt = await sink.send(batch.rendered, sending);
    // After a failure nobody comes to look at the later receipts; unheard, a rejection would end the process.
    receipt.confirmed.catch(() => {});
    observer.sent(options.now() - started);
    return receipt;
  };

  const send = (batch: Batch): void => {
    unconfirmed.add(batch);
    unwritten.add(batch);
    const receipt = queue.add(async () => {
      try {
        sending.throwIfAborted();
        return await sendNow(batch);
      } catch (error) {
        // Here and not later: the next batch of the queue must not overtake this one.
        broken.abort(error);
        throw error;
      } finally {
        unwritten.subtract(batch);
      }
    });
    // `broken` knows of it; after an earlier failure nobody else will come and look.
    receipt.catch(() => {});
    // A rejected link skips all later ones: the cursor moves over an unbroken run of what is confirmed (K5).
    settling = settling.then(() => settle({ batch, receipt }));
    settling.catch((error) => broken.abort(error));
  };

  /** Everything written is confirmed, and everything confirmed is settled. */
  const drain = async (): Promise<void> => {
    await orAbort(queue.onIdle(), sending);
    await orAbort(sink.confirm(sending), sending);
    await orAbort(settling, sending);
  };

  const write = async (): Promise<void> => {
    while (!writing.aborted) {
      // One batch is made ready while another is being written, no more.
      await orAbort(queue.onSizeLessThan(1), writing);
      const nothingOut = unconfirmed.records === 0;
      const room = roomLeft(sink.window(), options.window, unconfirmed, unwritten);
      if (room.records < 1 && !nothingOut) {
        await drain();
        continue;
      }
      const limit = Math.max(1, Math.min(options.batchSize, room.records));
      const loan = await journal.take(written.cursor, limit, writing);
      const batch = render(loan, written, room, { ...rendering, nowMs: options.now() }, nothingOut);
      if (batch === undefined) {
        await drain();
        continue;
      }
      send(batch);
      written = batch.end;
    }
  };

  try {
    await sink.open(sending);
    observer.connected(true);
    await write().catch((error) => {
      if (!isAbort(error) || !writing.aborted) throw error;
    });
    // Asked to stop: what is written still gets its confirmation, so that it is not sent twice.
    await drain();
  } catch (error) {
    // What broke the session is the news, not the abort that it caused.
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    observer.connected(false);
    try {
      await sink.close();
    } finally {
      // What is unconfirmed has been rejected by now: after this nothing of this session moves the cursor.
      await settling.catch(() => {});
      unconfirmed.clear();
    }
  }
}

function refusalsOf(batch: Batch, result: SendResult): Refusal[] {
  return result.refused.flatMap(({ index, reason, detail }) => {
    const rendered = batch.rendered[index];
    return rendered ? [{ record: rendered.record, reason, detail }] : [];
  });
}

/** What the sink has room for, less what it has been handed and not yet written, within the upper bound for all. */
function roomLeft(present: Room, bound: Room, unconfirmed: Room, unwritten: Room): Room {
  return {
    records: Math.min(present.records - unwritten.records, bound.records - unconfirmed.records),
    bytes: Math.min(present.bytes - unwritten.bytes, bound.bytes - unconfirmed.bytes),
  };
}

/** Counts records and bytes. */
class Tally implements Room {
  records = 0;
  bytes = 0;
  readonly #changed: ((records: number) => void) | undefined;

  constructor(changed?: (records: number) => void) {
    this.#changed = changed;
  }

  add(batch: Batch): void {
    this.records += batch.rendered.length;
    this.bytes += batch.bytes;
    this.#changed?.(this.records);
  }

  subtract(batch: Batch): void {
    this.records -= batch.rendered.length;
    this.bytes -= batch.bytes;
    this.#changed?.(this.records);
  }

  clear(): void {
    this.records = 0;
    this.bytes = 0;
    this.#changed?.(0);
  }
}
