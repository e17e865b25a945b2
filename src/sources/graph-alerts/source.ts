import { UnavailableError } from '../../core/errors.ts';
import type { Appended } from '../../core/journal.ts';
import type { Log } from '../../core/log.ts';
import type { SourceRecord } from '../../core/record.ts';
import type { Listed, Page, ReadingKind, Source, Standing, Unread } from '../../core/source.ts';
import { isoOfTicks, ticksOfMs } from '../../core/ticks.ts';
import type { Graph, GraphPage, Priority } from '../../net/graph.ts';
import { isPassing, TooLargeError } from '../../net/graph.ts';
import {
  type Checkpoint,
  firstCheckpoint,
  formatCheckpoint,
  parseCheckpoint,
  type Range,
  type Unreadable,
} from './checkpoint.ts';
import { type Filter, isWanted } from './filter.ts';
import { LateFinds, lateSince } from './late-finds.ts';
import { alertRecord } from './map.ts';
import { heavy, narrower, nextWindow, type Pace, Streak, suspicious, wider } from './pace.ts';
import {
  advanced,
  changesAside,
  type Depths,
  describe,
  floorOf,
  pastAside,
  polled,
  pollFrom,
  setAside,
  standingOf,
  takenBack,
  urgent,
  withDue,
} from './plan.ts';
import {
  type Answer,
  type Asker,
  endsHere,
  type Failure,
  isFailure,
  isOnly,
  type Outcome,
  readSlice,
  readTick,
  tieIn,
} from './reading.ts';
import { filterOf, isTick, type Window } from './slice.ts';

/** The settings of the source, as its schema gives them. */
export interface GraphAlertsSettings extends Depths {
  /** Milliseconds from one poll to the next. */
  readonly every: number;
  /** How far back the first start reads: milliseconds, or an ISO time. */
  readonly startFrom: number | string;
  readonly response: { readonly maxBytes: number };
  readonly filter: Filter;
}

export interface GraphAlertsParts {
  /** Configured name of the source. */
  readonly name: string;
  readonly graph: Graph;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
  /** Graph's count of a list did not agree with the list, however often it was read. */
  readonly miscounted: () => void;
}

/** What is asked for: pages of a reading, or a list that nothing is kept of. */
type Purpose = ReadingKind | 'reconcile';

const ROLE = 'SecurityAlert.Read.All';
/** Alerts in a page, to begin with, and at most (Graph takes no more). */
const FIRST_TOP = 250;
const MOST_TOP = 1000;
/** No server gives fewer alerts at once and does not say that there are more. */
const LEAST_CLAMP = 20;
/** Characters that a page should have: two of them are in memory at a time (K2). */
const PAGE_CHARACTERS = 2 ** 22;
/** Tries at one request before a control request says whether Graph or the request is at fault (R5). */
const ATTEMPTS = 3;
/**
 * Tries at an answer that is too large before less is asked for. Less means more requests: where they are too large by
 * chance, as by a proxy's doing, each of them would make the next ones smaller, down to one alert a page.
 */
const LARGE_ATTEMPTS = 2;
/** Tries at what would be set aside. */
const LAST_ATTEMPTS = 5;
/** What was set aside is not divided further than this in one go; the next one divides what is left. */
const MOST_PIECES = 4096n;
/** An alert this much later than the server's `Date` is not just fresh. */
const FUTURE_MS = 60_000;
/** A server's `Date` further ahead of our clock is not believed: the watermark would follow it past what is to come. */
const MOST_AHEAD_MS = 90 * 60_000;
/** How long Graph's count is not relied on once it was wrong for good. */
const MISCOUNT_MS = 3_600_000;

/**
 * Reads alerts by `lastUpdateDateTime` (R1 to R6). Each reading is a poll, and then, until the next poll is due, what
 * else is to be read: overlap, sweep, backfill, what was set aside. What to ask for is decided in `plan.ts`, how a
 * window is read in `reading.ts`; here it is asked, and the checkpoint goes with every answer.
 */
export class GraphAlerts implements Source {
  readonly tenant: string;
  readonly #settings: GraphAlertsSettings;
  readonly #parts: GraphAlertsParts;
  readonly #told = new Set<string>();
  readonly #lateFinds: LateFinds;
  readonly #paces = new Map<string, Pace>();
  readonly #streaks = new Map<ReadingKind, Streak>();
  #pass: Pass | undefined;
  #top = FIRST_TOP;
  /** Rows of the largest answer until now. */
  #largest = 0;
  /** Lower while a tie is read whose pages were too large. */
  #mostTop = MOST_TOP;
  /** The server's time when it was last told, and our steady clock at that moment. */
  #clock: { readonly dateMs: number; readonly steadyMs: number } | undefined;
  /** Of what is read between the polls. */
  #turn = 0;
  #miscountedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: GraphAlertsSettings, parts: GraphAlertsParts) {
    this.tenant = parts.graph.tenant;
    this.#settings = settings;
    this.#parts = parts;
    this.#lateFinds = new LateFinds(settings.overlap);
  }

  async *read(stored: string | undefined, signal: AbortSignal): AsyncGenerator<Page> {
    const { steady } = this.#parts;
    const begun = steady();
    let checkpoint: Checkpoint;
    if (stored === undefined) {
      checkpoint = await this.#begin(signal);
      // Kept before anything is read, so that a crash does not move the start.
      yield this.#page('poll', undefined, checkpoint, checkpoint);
    } else {
      checkpoint = this.#parse(stored);
    }
    checkpoint = yield* this.#poll(checkpoint, signal);
    do {
      checkpoint = withDue(checkpoint, this.#settings, this.#serverNow());
      const next = urgent(checkpoint, this.#serverNow(), this.#turn++);
      if (next === undefined) return;
      checkpoint =
        'kind' in next
          ? yield* this.#step(checkpoint, next, signal)
          : yield* this.#tryAgain(checkpoint, next, signal);
    } while (steady() - begun < this.#settings.every);
  }

  describe(stored: string | undefined): string {
    if (stored !== undefined) return describe(this.#parse(stored));
    const { startFrom } = this.#settings;
    const from = typeof startFrom === 'string' ? startFrom : `${startFrom / 3_600_000} hours ago`;
    return `reads for the first time, from ${from} on`;
  }

  /** Closed windows as every reading of a range has them (R3), of which nothing is kept. */
  async *list(from: bigint, to: bigint, signal: AbortSignal): AsyncGenerator<Listed> {
    const streak = new Streak();
    let pace: Pace = { width: to - from, page: this.#top };
    for (let at = from; at < to; ) {
      const window = nextWindow(at, to, pace);
      const found = new Map<string, SourceRecord>();
      const note = ({ records }: Answer) => {
        for (const record of records) found.set(`${record.id} ${record.revision}`, record);
      };
      const attempt = this.#attempt('reconcile', window, pace, signal, { streak });
      let step = await attempt.next();
      for (; !step.done; step = await attempt.next()) note(step.value);
      const { last, unread } = step.value;
      if (last) note(last);
      pace = step.value.pace;
      if (!last && !unread) continue;
      const { from: begin, to: end } = window;
      yield { from: begin, to: end, records: [...found.values()], ...(unread && { unread }) };
      at = end;
    }
  }

  standing(stored: string): Standing {
    return standingOf(parseCheckpoint(stored), this.#settings);
  }

  /** Looks for alerts that only a sweep has found: `overlap` is too short for them. */
  kept(page: Page, { told }: Appended): void {
    if (page.reading !== 'sweep' || told.length === 0) return;
    const standing = parseCheckpoint(page.checkpoint);
    for (const { index } of told) this.#lateFinds.add(page.records[index]!, standing, page.dateMs);
  }

  notes(): readonly string[] {
    return this.#lateFinds.notes();
  }

  /** Nothing of its own: the tenant's Graph is closed by whoever opened it. */
  async close(): Promise<void> {}

  /** The checkpoint before the first reading ever; `startFrom` counts from the server's clock (R4). */
  async #begin(signal: AbortSignal): Promise<Checkpoint> {
    const { startFrom } = this.#settings;
    await this.#control('$top=1', signal);
    const nowMs = this.#serverNow();
    const startMs = typeof startFrom === 'string' ? Date.parse(startFrom) : nowMs - startFrom;
    return firstCheckpoint(ticksOfMs(startMs), ticksOfMs(nowMs), nowMs);
  }

  /**
   * Everything from `settle` behind the watermark on. When one answer does not bring it, that is *lag*: closed at the
   * server's time, it is read in windows, each of which moves the watermark (R3).
   */
  async *#poll(checkpoint: Checkpoint, signal: AbortSignal): AsyncGenerator<Page, Checkpoint> {
    const from = pollFrom(checkpoint, this.#settings);
    const asker = this.#asker('poll', ATTEMPTS, signal);
    const answer = await asker.first({ from });
    if (!isFailure(answer)) {
      const whole = isOnly({ from }, answer)
        ? (answer.count ?? 0) <= answer.rows
        : yield* this.#pages('poll', checkpoint, endsHere(answer, asker));
      const next = whole ? polled(checkpoint, shownBy(answer), this.#settings) : checkpoint;
      // Not whole: the newest alerts are told at once all the same.
      yield this.#page('poll', answer, next, checkpoint);
      if (whole) return next;
    }
    const end = ticksOfMs(this.#serverNow());
    let at: Place = { checkpoint, from, pace: this.#afterPoll(answer, { from, to: end }) };
    while (at.from < end) {
      at = yield* this.#window('poll', at, end, signal, (before, upTo, last) => {
        const shown = last ? shownBy(last) : { dateMs: this.#serverNow(), revisions: [] };
        return polled(before, shown, this.#settings, upTo);
      });
    }
    return at.checkpoint;
  }

  /** The next window of an open range. */
  async *#step(checkpoint: Checkpoint, range: Range, signal: AbortSignal): AsyncGenerator<Page, Checkpoint> {
    const { kind, from, to, begun } = range;
    const key = `${kind} ${begun}`;
    const pace = this.#paces.get(key) ?? { width: to - from, page: this.#top };
    const at: Place = { checkpoint, from, pace };
    const next = yield* this.#window(kind, at, to, signal, (before, upTo) => advanced(before, range, upTo));
    this.#paces.set(key, next.pace);
    if (next.from >= to) {
      this.#paces.delete(key);
      if (kind === 'sweep') this.#tellLateFinds();
    }
    return next.checkpoint;
  }

  /**
   * Reads the next window of what was set aside. What can be read of it is kept as it comes; once all has been tried,
   * what still fails stays aside.
   */
  async *#tryAgain(
    checkpoint: Checkpoint,
    span: Unreadable,
    signal: AbortSignal,
  ): AsyncGenerator<Page, Checkpoint> {
    const width = span.to - span.from;
    const before = this.#pass;
    const pass =
      before?.from === span.from
        ? before
        : {
            from: span.from,
            at: span.from,
            left: [],
            streak: new Streak(),
            pace: { width, page: this.#top },
          };
    const window = nextWindow(pass.at, span.to, pass.pace);
    const attempt = this.#attempt('retry', window, pass.pace, signal, {
      streak: pass.streak,
      grain: width / MOST_PIECES,
    });
    const result = yield* this.#pages('retry', checkpoint, attempt);
    const { last, unread, pace } = result;
    const read = last !== undefined || unread !== undefined;
    const left = unread ? [...pass.left, unread] : pass.left;
    this.#pass = { ...pass, at: read ? window.to : pass.at, left, pace };
    if (this.#pass.at < span.to) {
      if (last) yield this.#page('retry', last, checkpoint, checkpoint);
      return checkpoint;
    }
    this.#pass = undefined;
    const aside = left.map(({ at, to }) => ({ from: at, to, retryAt: this.#retryAt() }));
    const next = setAside(takenBack(checkpoint, span), ...aside);
    if (left.length === 0) {
      const fields = { from: isoOfTicks(span.from), to: isoOfTicks(span.to) };
      this.#parts.log.info(fields, 'what had been set aside as unreadable has been read');
    }
    yield { ...this.#page('retry', last, next, checkpoint), ...changed(checkpoint, next, left) };
    return next;
  }

  /**
   * Reads the next window of a range that ends before `end`.
   *
   * @param reached the checkpoint when all before `upTo` has been dealt with; `last`: by this answer
   */
  async *#window(
    kind: ReadingKind,
    at: Place,
    end: bigint,
    signal: AbortSignal,
    reached: (checkpoint: Checkpoint, upTo: bigint, last?: Answer) => Checkpoint,
  ): AsyncGenerator<Page, Place> {
    const { checkpoint, pace } = at;
    const free = pastAside(checkpoint, at.from, end);
    if (free.from >= end) {
      const next = reached(checkpoint, end);
      yield this.#page(kind, undefined, next, checkpoint);
      return { checkpoint: next, from: end, pace };
    }
    const window = nextWindow(free.from, free.end, pace);
    const streak = this.#streaks.get(kind) ?? new Streak();
    this.#streaks.set(kind, streak);
    const attempt = this.#attempt(kind, window, pace, signal, { streak });
    const result = yield* this.#pages(kind, checkpoint, attempt);
    const { last, unread } = result;
    if (last) {
      const next = reached(checkpoint, window.to, last);
      yield this.#page(kind, last, next, checkpoint);
      return { checkpoint: next, from: window.to, pace: result.pace };
    }
    if (!unread) return { checkpoint, from: free.from, pace: result.pace };
    const { at: from, to, ...why } = unread;
    const fields = { ...why, from: isoOfTicks(from), to: isoOfTicks(to) };
    this.#parts.log.error(fields, 'set aside as unreadable; it is tried again');
    const next = setAside(reached(checkpoint, to), { from, to, retryAt: this.#retryAt() });
    yield { ...this.#page(kind, undefined, next, checkpoint), ...changed(checkpoint, next, [unread]) };
    return { checkpoint: next, from: to, pace: result.pace };
  }

  /** Asks for a window; where it does not come whole, says what to ask for next, or that nothing less will do (R5). */
  async *#attempt(
    kind: Purpose,
    window: Window,
    pace: Pace,
    signal: AbortSignal,
    { streak, grain = 1n }: { streak: Streak; grain?: bigint },
  ): AsyncGenerator<Answer, Attempted> {
    const { steady } = this.#parts;
    const width = window.to - window.from;
    const tick = isTick(window);
    if (!tick) this.#mostTop = MOST_TOP;
    const least = tick || width <= grain || width <= streak.grain(steady());
    const most = least && kind !== 'retry' ? LAST_ATTEMPTS : ATTEMPTS;
    const asker = this.#asker(kind, least || pace.bad === undefined ? most : 1, signal);
    const outcome = yield* tick ? readTick(window, asker) : readSlice(window, asker, this.#countLies());
    if (outcome.kind === 'whole') {
      const { last } = outcome;
      if (last.rows > 0) streak.passed();
      return { last, pace: wider(pace, window, last) };
    }
    if (outcome.kind === 'crowded') {
      if (outcome.last) yield outcome.last;
      if (!least) return { pace: this.#narrower(pace, window, outcome.count, outcome.last) };
    } else if (outcome.failure.failed === 'large') {
      if (!least) return { pace: heavy(pace, window) };
      if (tick && this.#askForLess()) return { pace };
    } else if (!least) {
      return { pace: suspicious(pace, window) };
    }
    streak.failed(steady());
    return { unread: unreadOf(window, outcome), pace: { width: pace.width, page: pace.page } };
  }

  /** Pages of half as many; `false`: a page has one alert already. */
  #askForLess(): boolean {
    if (this.#top === 1) return false;
    this.#top = Math.floor(this.#top / 2);
    this.#mostTop = this.#top;
    return true;
  }

  #afterPoll(answer: Answer | Failure, window: Window): Pace {
    const pace = { width: window.to - window.from, page: this.#top };
    if (!isFailure(answer)) return this.#narrower(pace, window, answer.count, answer);
    return answer.failed === 'large' ? heavy(pace, window) : suspicious(pace, window);
  }

  #narrower(pace: Pace, window: Window, count: number | undefined, answer?: Answer): Pace {
    const page = answer?.rows || pace.page;
    return narrower(pace, window, { count, page, tie: answer && tieIn(answer) });
  }

  /** Answers on the way to an outcome, as pages that move nothing: all that was read is kept. */
  async *#pages<Result>(
    kind: ReadingKind,
    checkpoint: Checkpoint,
    reading: AsyncGenerator<Answer, Result>,
  ): AsyncGenerator<Page, Result> {
    while (true) {
      const { done, value } = await reading.next();
      if (done) return value;
      yield this.#page(kind, value, checkpoint, checkpoint);
    }
  }

  #asker(kind: Purpose, attempts: number, signal: AbortSignal): Asker {
    const priority: Priority = kind === 'retry' ? 'sweep' : kind;
    return {
      first: (slice) => {
        const filter = encodeURIComponent(filterOf(slice, this.#settings.filter.serviceSource));
        const url = this.#url(`$filter=${filter}&$top=${this.#top}&$count=true`);
        return this.#ask(url, { priority, attempts, signal });
      },
      next: async (link) => {
        const answer = await this.#ask(link, { priority, attempts, signal });
        // There is no less to ask for.
        const isLeast = isFailure(answer) && answer.failed === 'large' && this.#top === 1;
        return isLeast ? { ...answer, failed: 'broken' } : answer;
      },
      miscounted: () => {
        this.#miscountedAt = this.#parts.steady();
        this.#parts.miscounted();
      },
    };
  }

  #countLies(): boolean {
    return this.#parts.steady() - this.#miscountedAt < MISCOUNT_MS;
  }

  async #ask(
    url: string,
    { priority, attempts, signal }: { priority: Priority; attempts: number; signal: AbortSignal },
  ): Promise<Answer | Failure> {
    const { maxBytes } = this.#settings.response;
    let large = 0;
    while (true) {
      try {
        const top = this.#top;
        const options = { maxBytes, role: ROLE, signal, priority, attempts };
        const page = await this.#parts.graph.page(url, { ...options, row: this.#row });
        return this.#answer(page, top);
      } catch (error) {
        if (error instanceof TooLargeError) {
          if (++large === LARGE_ATTEMPTS) return { failed: 'large', error };
          continue;
        }
        if (!(error instanceof UnavailableError)) throw error;
        // The request is made smaller only when Graph answers another one like it; else Graph is down, and is waited
        // for (R5), or nothing is allowed, and somebody has to act.
        const control = this.#controlQuery();
        if (await this.#control(control, signal, 1)) return { failed: 'broken', error };
        if (!isPassing(error)) throw error;
        await this.#control(control, signal);
      }
    }
  }

  /** As all that we ask, and as little as can be: where nothing but filters fails, no alert is at fault. */
  #controlQuery(): string {
    const from = ticksOfMs(this.#serverNow());
    const filter = filterOf({ from, to: from + 1n }, this.#settings.filter.serviceSource);
    return `$filter=${encodeURIComponent(filter)}&$top=1&$count=true`;
  }

  /** Whether Graph answers the smallest request there is. Without `attempts` it is asked until it does. */
  async #control(query: string, signal: AbortSignal, attempts?: number): Promise<boolean> {
    const { maxBytes } = this.#settings.response;
    const options = {
      maxBytes,
      role: ROLE,
      signal,
      priority: 'poll' as const,
      ...(attempts && { attempts }),
    };
    try {
      const { dateMs } = await this.#parts.graph.page(this.#url(query), { ...options, row: () => undefined });
      this.#trusted(dateMs);
      return true;
    } catch (error) {
      if (error instanceof TooLargeError) return true;
      if (error instanceof UnavailableError && attempts !== undefined) return false;
      throw error;
    }
  }

  #url(query: string): string {
    return `${this.#parts.graph.origin}/v1.0/security/alerts_v2?${query}`;
  }

  readonly #row = (row: unknown, json: Uint8Array): SourceRecord | NoAlert => {
    const record = alertRecord(row, json);
    if (!record) return { found: row === null ? 'null' : typeof row };
    return isWanted(record, row, this.#settings.filter) ? record : { ...record, unwanted: true };
  };

  /** All rows, also those that we did not ask for: dropping is the one mistake that nobody would see. */
  #answer(
    { rows, count, next, dateMs: told, bytes }: GraphPage<SourceRecord | NoAlert>,
    top: number,
  ): Answer {
    const dateMs = this.#trusted(told);
    const future = dateMs === undefined ? undefined : ticksOfMs(dateMs + FUTURE_MS);
    const records: SourceRecord[] = [];
    for (const row of rows) {
      if ('found' in row) {
        this.#tellOnce(row, 'Graph’s list has something that is no alert');
        continue;
      }
      const { id, revision } = row;
      if (future !== undefined && revision > future) {
        const message = 'an alert is dated later than Graph’s own clock; it is told, and moves nothing';
        this.#tellOnce({ id }, message);
      }
      records.push(row);
    }
    // A page that is short and not the last one is as much as Graph gives.
    const most = next !== undefined && rows.length > 0 && rows.length < top ? rows.length : this.#top * 2;
    const room = Math.min(PAGE_CHARACTERS, this.#settings.response.maxBytes / 2);
    const wanted = rows.length === 0 ? most : Math.ceil((room * rows.length) / bytes);
    this.#top = Math.min(this.#mostTop, most, Math.max(1, wanted));
    const largest = Math.max(LEAST_CLAMP, this.#largest);
    this.#largest = Math.max(this.#largest, rows.length);
    const full = rows.length >= top;
    return { records, rows: rows.length, count, next, dateMs, full, most: rows.length >= largest };
  }

  /** The server's `Date` as far as it can be believed; a time that is too early only costs requests. */
  #trusted(dateMs: number | undefined): number | undefined {
    if (dateMs === undefined) {
      this.#tellOnce({}, 'Graph’s answers have no Date; the watermark cannot move');
      return undefined;
    }
    const { now, steady } = this.#parts;
    const latest = now() + MOST_AHEAD_MS;
    if (dateMs > latest) {
      const fields = { date: new Date(dateMs).toISOString(), here: new Date(now()).toISOString() };
      this.#tellOnce(fields, 'Graph’s clock is far ahead of this machine’s; set this machine’s clock');
    }
    this.#clock = { dateMs: Math.min(dateMs, latest), steadyMs: steady() };
    return this.#clock.dateMs;
  }

  /** Milliseconds since 1970 by the server's clock, as well as it is known. */
  #serverNow(): number {
    const { now, steady } = this.#parts;
    return this.#clock ? this.#clock.dateMs + steady() - this.#clock.steadyMs : now();
  }

  #retryAt(): number {
    return this.#serverNow() + this.#settings.sweep.every;
  }

  /** @param before where reading stands before this page: what is asked for must be above the floor (K4) */
  #page(reading: ReadingKind, answer: Answer | undefined, checkpoint: Checkpoint, before: Checkpoint): Page {
    return {
      reading,
      records: answer?.records ?? [],
      dateMs: answer?.dateMs,
      checkpoint: formatCheckpoint(checkpoint),
      floor: floorOf(before, this.#settings),
      watermark: checkpoint.watermark,
      lateSince: lateSince(checkpoint),
    };
  }

  #parse(stored: string): Checkpoint {
    try {
      return parseCheckpoint(stored);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'it cannot be read';
      const message =
        `the checkpoint of source ${this.#parts.name} in tenant ${this.tenant} cannot be used: ${why}; nothing is read. ` +
        'Run the version that wrote it, or restore the state directory. Deleting that directory begins again from ' +
        'startFrom, and gives up what has not been delivered';
      throw new UnavailableError(message, { reason: 'other', cause });
    }
  }

  #tellLateFinds(): void {
    const hint = this.#lateFinds.take();
    if (hint) this.#parts.log.warn(hint.fields, hint.message);
  }

  #tellOnce(fields: object, message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#parts.log.warn(fields, message);
  }
}

/** What stands in Graph's list and is none, by its type. */
interface NoAlert {
  readonly found: string;
}

/** Where a reading stands. */
interface Place {
  readonly checkpoint: Checkpoint;
  readonly from: bigint;
  readonly pace: Pace;
}

/** How far what had been set aside has been read again. Kept in memory only: a restart begins again. */
interface Pass {
  /** Beginning of what was set aside. */
  readonly from: bigint;
  readonly at: bigint;
  readonly pace: Pace;
  readonly streak: Streak;
  /** What of it fails as before. */
  readonly left: readonly Unread[];
}

/** What became of a window: it came with `last`, or `unread` says why it never will; else it is asked for otherwise. */
interface Attempted {
  readonly last?: Answer;
  readonly unread?: Unread;
  /** For the next window. */
  readonly pace: Pace;
}

function unreadOf({ from, to }: Window, outcome: Exclude<Outcome, { kind: 'whole' }>): Unread {
  if (outcome.kind === 'crowded') {
    const { count } = outcome;
    const detail = 'Graph has, or says that it has, more alerts of this time than it gives';
    return { at: from, to, reason: 'too-many', detail, ...(count !== undefined && { count }) };
  }
  const { failed, error } = outcome.failure;
  const { message } = error;
  if (failed === 'large')
    return { at: from, to, reason: 'too-large', detail: `${message}; set response.maxBytes higher` };
  const detail = isPassing(error)
    ? message
    : `refused while other requests are answered, as a proxy that looks into answers may do: ${message}`;
  return { at: from, to, reason: 'unreadable', detail };
}

/** The dead letters that come and go with a checkpoint. */
function changed(
  before: Checkpoint,
  after: Checkpoint,
  why: readonly Unread[],
): Pick<Page, 'unread' | 'readAgain'> {
  const { added, gone } = changesAside(before, after);
  const unread = added.map(({ from, to }): Unread => {
    const exact = why.find((each) => each.at === from && each.to === to);
    // It has become one with others; what was last said of one of them stands for all.
    const { reason, detail } = why.findLast(({ at }) => from <= at && at < to) ?? ELSEWHERE;
    return exact ?? { at: from, to, reason, detail };
  });
  return { ...(unread.length > 0 && { unread }), ...(gone.length > 0 && { readAgain: gone }) };
}

const ELSEWHERE = { reason: 'unreadable', detail: 'part of it cannot be read' } as const;

const shownBy = ({ dateMs, records }: Answer) => ({
  dateMs,
  revisions: records.map(({ revision }) => revision),
});
