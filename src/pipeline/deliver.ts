import PQueue from 'p-queue';
import { compareCursors } from '../core/cursor.ts';
import type { Format } from '../core/format.ts';
import type { Cursor, Journal, Loan, Position, Refusal } from '../core/journal.ts';
import type { Match } from '../core/match.ts';
import type { RelayRecord } from '../core/record.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../core/sink.ts';
import type { Stop } from '../lib/stop.ts';
import { isAbort, orAbort } from '../lib/wait.ts';
import { type HeartbeatOptions, heartbeat, Pulse } from './heartbeat.ts';
import { type Outcome, outcomesOf, refusalsOf, withheldOf } from './outcome.ts';
import { DeadLetterLimit } from './policies/dead-letter-limit.ts';
import { Doubt } from './policies/doubt.ts';
import { isBreak, Narrowing } from './policies/narrowing.ts';
import { OneAtATime, type Turn } from './policies/one-at-a-time.ts';
import { Rate } from './policies/rate.ts';
import { type Batch, type Ready, render, type Step } from './render.ts';
import { BOUNDLESS, roomLeft, Tally } from './room.ts';
import { type Choice, Selection } from './selection.ts';
import { upToWitness } from './witness.ts';

export interface DeliverOptions {
  /** Configured name of the sink. */
  readonly name: string;
  readonly sink: Sink;
  readonly format: Format;
  /** What the sink is given of all that the journal has. */
  readonly match: Match;
  /** Whether it is given what the relay tells of itself, whatever it matches (S7). */
  readonly selfEvents: boolean;
  readonly journal: Pick<Journal, 'take' | 'peek' | 'movedTo' | 'advance' | 'follows' | 'mark'>;
  /** Where the sink goes on from. */
  readonly from: Position;
  /** Most records in one send. */
  readonly batchSize: number;
  /** Upper bound for what is written and not confirmed, unless the sink has one of its own (S1, S3). */
  readonly window: Room;
  /** Most sends at a time. */
  readonly maxInFlight: number;
  /** Most bytes of an event with its header (S5). */
  readonly maxEventBytes: number;
  /** Most events a second; 0: no limit. */
  readonly maxPerSecond: number;
  /** Left out: the sink gets none. */
  readonly heartbeat?: HeartbeatOptions;
  readonly now: () => number;
  readonly observer: DeliverObserver;
}

export interface DeliverObserver {
  connected(connected: boolean): void;
  /** One send was written, after so many milliseconds. */
  sent(ms: number): void;
  delivered(records: readonly RelayRecord[]): void;
  refused(refusals: readonly Refusal[]): void;
  /** Records were passed over: the sink does not want them. */
  filtered(records: number): void;
  /** Records that are written and not confirmed. */
  unconfirmed(records: number): void;
}

/** What was asked of the sink and has not been answered for; all in the order of the journal. */
interface Flight {
  readonly batch: Batch;
  readonly receipt: Promise<Receipt>;
}

const NOTHING: SendResult = { refused: [] };

/** What outlives a session; nothing of it has to outlive the process. */
interface Memory {
  done: Position;
  readonly narrowing: Narrowing;
  readonly deadLetters: DeadLetterLimit;
  readonly rate: Rate;
  readonly pulse: Pulse | undefined;
}

/**
 * Journal → match → format → sink. The returned task is one session: it opens the sink, writes on while there is room,
 * and settles receipts in order; it ends well at `stop.soft`, after a last confirmation, or throws what broke
 * the session. Run again, it goes on from the first record that is not confirmed.
 *
 * Three places matter, in this order in time:
 * - `written`: handed to the sink. Lost with the session.
 * - `done`: the far end has taken responsibility for all up to here, or it is certain that it never will. Lost with
 *   the process at most as far as the journal has not yet committed it (100 ms); then it is sent again, under the
 *   same running numbers.
 * - the journal's cursor: `done`, on disk.
 */
export function delivery(options: DeliverOptions): (stop: Stop, healthy: () => void) => Promise<void> {
  const { now } = options;
  const memory: Memory = {
    done: options.from,
    narrowing: new Narrowing(now),
    deadLetters: new DeadLetterLimit(now),
    rate: new Rate(options.maxPerSecond, now),
    pulse: options.heartbeat && new Pulse(options.heartbeat.everyMs, now),
  };
  return (stop, healthy) => session(options, memory, stop, healthy);
}

async function session(
  options: DeliverOptions,
  memory: Memory,
  stop: Stop,
  healthy: () => void,
): Promise<void> {
  const { name, sink, journal, observer, format } = options;
  const { narrowing, deadLetters, rate, pulse } = memory;
  const { headerBytes } = sink;
  const rendering = {
    format,
    headerBytes,
    maxBytes: options.maxEventBytes - headerBytes,
    touch: (cursor: Cursor) => journal.mark.touch(cursor),
    poison: (cursor: Cursor) => narrowing.poison(cursor),
  };
  const broken = new AbortController();
  const writing = AbortSignal.any([stop.soft, broken.signal]);
  const sending = AbortSignal.any([stop.hard, broken.signal]);
  const queue = new PQueue({ concurrency: options.maxInFlight });
  const row = options.maxInFlight > 1 ? new OneAtATime() : undefined;
  // What is given up may arrive all the same, behind what is sent in the next session: where several sends are under way
  // they come to their end, and only then does the session.
  const carrying = row ? stop.hard : sending;
  const aSelection = () =>
    new Selection(options.match, options.selfEvents, (ids) => journal.follows(name, ids));
  const selection = aSelection();
  const doubt = new Doubt();
  /** Handed to the sink and not answered for, in order. */
  const out: Batch[] = [];
  const unconfirmed = new Tally(observer.unconfirmed);
  const unwritten = new Tally();
  let written = memory.done;
  let settling: Promise<void> = Promise.resolve();

  const settle = async ({ batch, receipt }: Flight): Promise<void> => {
    const result = await (await receipt).confirmed;
    out.shift();
    unconfirmed.subtract(batch);
    if (batch.steps.length === 0) {
      // A heartbeat: nothing of the journal.
      if (result.refused.length > 0) return;
      healthy();
      certainly(doubt.heartbeat());
      return;
    }
    certainly(doubt.answered(outcomesOf(batch.steps, result)));
    doubt.check();
  };

  const certainly = (certain: readonly Outcome[]): void => {
    const admitted = deadLetters.admit(certain);
    advance(admitted);
    if (admitted.length < certain.length) throw deadLetters.paused(certain.slice(admitted.length));
  };

  const advance = (outcomes: readonly Outcome[]): void => {
    const end = outcomes.at(-1)?.end;
    // What was in doubt when the journal let go of it is in the gap.
    if (!end || compareCursors(end.cursor, memory.done.cursor) <= 0) return;
    const refused = refusalsOf(outcomes);
    const follow = outcomes.flatMap((outcome) => outcome.follow ?? []);
    // Only now: a crash above this line sends twice, it never forgets.
    const { cursor, stream, sequence, apart } = end;
    const withheld = withheldOf(memory.done.cursor, outcomes);
    const numbers = { stream, sequence, ...(apart && { apart }) };
    journal.advance({ sink: name, cursor, ...numbers, refused, withheld, follow });
    memory.done = end;
    selection.settled(follow);
    narrowing.settled(end.cursor);
    const delivered = outcomes.flatMap((outcome) => outcome.delivered ?? []);
    if (delivered.length > 0) healthy();
    observer.filtered(outcomes.reduce((sum, { filtered = 0 }) => sum + filtered, 0));
    if (refused.length > 0) observer.refused(refused);
    observer.delivered(delivered);
  };

  const sendNow = async (rendered: readonly Rendered[]): Promise<Receipt> => {
    if (rendered.length === 0) return { confirmed: Promise.resolve(NOTHING) };
    await rate.take(
      rendered.reduce((sum, { events }) => sum + events.length, 0),
      sending,
    );
    const started = options.now();
    const receipt = await sink.send(rendered, carrying);
    // After a failure nobody comes to look at the later receipts; unheard, a rejection would end the process.
    receipt.confirmed.catch(() => {});
    observer.sent(options.now() - started);
    return receipt;
  };

  /** Once it has ended nobody holds the texts any more. */
  const writer =
    ({ batch, rendered }: Ready, turn: Turn | undefined) =>
    async () => {
      try {
        if (turn) await orAbort(turn.comes, sending);
        sending.throwIfAborted();
        const written = await sendNow(rendered);
        if (turn) written.confirmed.then(turn.leave, () => {});
        return written;
      } catch (error) {
        // Here and not later: the next batch of the queue must not overtake this one.
        broken.abort(error);
        throw error;
      } finally {
        unwritten.subtract(batch);
      }
    };

  const send = (ready: Ready): void => {
    const { batch, rendered } = ready;
    selection.taken(batch.steps.flatMap(({ follow }) => follow ?? []));
    out.push(batch);
    unconfirmed.add(batch);
    unwritten.add(batch);
    const turn = row?.queue(rendered.map(({ record }) => record));
    const receipt = queue.add(writer(ready, turn));
    // `broken` knows of it; after an earlier failure nobody else will come and look.
    receipt.catch(() => {});
    // A rejected link skips all later ones: the cursor moves over an unbroken run of what is confirmed (K5).
    settling = settling.then(() => settle({ batch, receipt }));
    settling.catch((error) => broken.abort(error));
  };

  const make = (loan: Loan, choices: readonly Choice[], from: Position, room: Room, force: boolean) =>
    journal.mark.during({ sink: name, first: loan.ends[0]!, last: loan.ends.at(-1)! }, () =>
      render(loan, choices, from, room, { ...rendering, nowMs: options.now() }, force),
    );

  /** Of no number of its own: it stands after the one that was given last (S7). */
  const aHeartbeat = async ({ waiting }: HeartbeatOptions): Promise<Rendered> => {
    const found = await orAbort(waiting(), writing);
    const { stream, sequence } = written;
    const sentMs = options.now();
    const record = heartbeat(found, sequence, sentMs);
    const texts = format(record, { stream, sequence, sentMs, maxBytes: rendering.maxBytes });
    return { record, stream, sequence, events: texts.map((text) => Buffer.from(text)) };
  };

  /** Between two batches. */
  const beat = async (beating: HeartbeatOptions): Promise<void> => {
    const rendered = await aHeartbeat(beating);
    const bytes = rendered.events.reduce((sum, text) => sum + text.length + headerBytes, 0);
    send({ batch: { steps: [], end: written, records: 1, bytes }, rendered: [rendered] });
  };

  const takeNext = (signal: AbortSignal) => journal.take(written.cursor, options.batchSize, signal, name);

  /** Everything written is confirmed, and everything confirmed is settled. */
  const drain = async (isLast = false): Promise<void> => {
    await orAbort(queue.onIdle(), sending);
    await orAbort(sink.confirm(sending, { isLast }), sending);
    await orAbort(settling, sending);
  };

  /** Where the journal has put the sink while it was in this stream: it has let go of what waited for it (K6). */
  const movedTo = (): Position | undefined => {
    const place = journal.movedTo(name);
    return place && place.stream !== written.stream ? place : undefined;
  };

  const isLeftBehind = (): boolean => {
    const place = movedTo();
    return place !== undefined && compareCursors(written.cursor, place.cursor) < 0;
  };

  /**
   * Goes on where the journal says, or where the sink is if that lies behind it already, in the new stream. Only when
   * nothing is out: what had to be sent again would take numbers that others have had. What is in doubt is out, too.
   */
  const goOn = (): void => {
    const place = movedTo();
    if (!place) return;
    const isBehind = isLeftBehind();
    if (!isBehind && compareCursors(memory.done.cursor, written.cursor) !== 0) return;
    written = isBehind ? place : { ...place, cursor: written.cursor };
    memory.done = written;
    narrowing.settled(written.cursor);
  };

  const write = async (): Promise<void> => {
    while (!writing.aborted) {
      if (movedTo()) {
        await drain();
        goOn();
      }
      // One batch is made ready while another is being written, no more.
      await orAbort(queue.onSizeLessThan(1), writing);
      const nothingOut = unconfirmed.records === 0;
      const present = sink.window();
      const { records, bytes } = present.isOwnBound ? BOUNDLESS : options.window;
      const bound = { bytes, records: Math.min(records, narrowing.limit) };
      const left = roomLeft(present, bound, unconfirmed, unwritten);
      if (left.records < 1 && !nothingOut) {
        await orAbort(drain(), writing);
        continue;
      }
      if (options.heartbeat && pulse?.isDue) {
        pulse.beat();
        await beat(options.heartbeat);
        continue;
      }
      const room = { ...left, records: Math.min(left.records, rate.burst) };
      const loan = pulse ? await pulse.before(writing, takeNext) : await takeNext(writing);
      if (loan === undefined || isLeftBehind()) continue;
      const choices = await orAbort(selection.choose(loan.records), writing);
      const ready = make(loan, choices, written, room, nothingOut);
      if (ready === undefined) {
        await orAbort(drain(), writing);
        continue;
      }
      send(ready);
      written = ready.batch.end;
    }
  };

  /** Another record than the one that broke the sink; it is sent again when it is its turn. */
  const aWitness = async ({ end, follow }: Step, suspect: RelayRecord, turn: number) => {
    const loan = await journal.peek(end.cursor, options.batchSize, sending, name);
    if (!loan) return undefined;
    const behind = aSelection();
    if (follow) behind.taken([follow]);
    const choices = await orAbort(behind.choose(loan.records), sending);
    const upTo = upToWitness(loan, choices, suspect, turn);
    const ready = upTo && make(upTo, choices, end, BOUNDLESS, true);
    return ready?.batch.steps.at(-1)?.sent && ready.rendered.at(-1);
  };

  /** Sends something else than the record that broke the sink: another one or, where there is none left, a heartbeat. */
  const probe = async (suspect: Step): Promise<void> => {
    const { turn } = narrowing;
    const witness = suspect.sent && (await aWitness(suspect, suspect.sent, turn));
    const beating = witness ? undefined : options.heartbeat;
    const sent = witness ?? (beating && (await aHeartbeat(beating)));
    narrowing.trying(witness && turn);
    if (!sent) return;
    const receipt = await sendNow([sent]);
    await orAbort(sink.confirm(sending), sending);
    const { refused } = await orAbort(receipt.confirmed, sending);
    if (refused.length === 0) narrowing.proved(turn);
  };

  try {
    await sink.open(sending);
    observer.connected(true);
    goOn();
    if (narrowing.suspect) await probe(narrowing.suspect);
    await write().catch((error) => {
      if (!isAbort(error) || !writing.aborted) throw error;
    });
    // Asked to stop: what is written still gets its confirmation, so that it is not sent twice.
    await drain(true);
  } catch (caught) {
    if (row) {
      await queue.onIdle();
      // By then all is settled that was answered for, before what broke.
      await new Promise(setImmediate);
    }
    // What broke the session is the news, not the abort that it caused.
    const error: unknown = broken.signal.aborted ? broken.signal.reason : caught;
    throw isBreak(error) ? narrowing.broke(error, sentOf(out)) : error;
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

function sentOf(batches: readonly Batch[]): Step[] {
  return batches.flatMap(({ steps }) => steps.filter(({ sent }) => sent !== undefined));
}
