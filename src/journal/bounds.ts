import type { DatabaseSync } from 'node:sqlite';
import type { Moved } from '../core/journal.ts';
import { isoOfTicks, msOfTicks } from '../core/ticks.ts';
import type { Clock } from './clock.ts';
import { Losses } from './losses.ts';
import { Size } from './size.ts';
import type { BatchTable } from './tables/batches.ts';
import type { Extents } from './tables/extents.ts';
import type { FollowedTable } from './tables/followed.ts';
import type { GapTable } from './tables/gaps.ts';
import type { LedgerTable } from './tables/ledger.ts';
import type { MemoryTable } from './tables/memory.ts';
import type { RepairedTable } from './tables/repaired.ts';
import type { SinkRow, SinkTable } from './tables/sinks.ts';
import type { SourceTable } from './tables/sources.ts';

/** Above this share of the limit what has been delivered is given up, the oldest first (K6). */
const GIVE_UP_ABOVE = 0.8;
/**
 * Sources and what they fill the journal with stop so far below the limit: the rest is for cursors and for what the relay
 * tells of itself, above all that the journal is full (K6).
 */
const RESERVE_SHARE = 0.01;
/** Full there, until it is below this share of the limit again (K6). */
const RESUME_BELOW = 0.9;
/**
 * When it is full what only sinks need that are not required is let go of, until below this share: each time makes a hole
 * of its own, and the log must have room to grow.
 */
const LET_GO_TO = 0.95;
/** Most batches let go of in one transaction, so that nobody waits long for it. */
const MOST_AT_ONCE = 64;
const HOUR_MS = 3_600_000;
/** Ids that sinks go on with may take an eighth of the limit, at about so many bytes each, index included. */
const FOLLOWED_SHARE = 1 / 8;
const FOLLOWED_BYTES = 128;
/**
 * What was seen, and how alerts stood last, may take a quarter each (K6), at so many bytes for a row. That was measured:
 * of 200,000 rows with ids and fields like those of Graph, the pages that each table and its index took, through the
 * number of rows: 75 bytes; and 297, that become 317 once a third of the rows has been written again.
 */
const MEMORY_SHARE = 1 / 4;
const SEEN_BYTES = 76;
const STATE_BYTES = 320;

/** What sinks were not given may take a sixteenth, at most so many bytes a row. */
const LEDGER_SHARE = 1 / 16;
const LEDGER_BYTES = 192;
/** By so much the clocks here and there may differ where it costs no more than a little room. */
const CLOCKS_APART_MS = 24 * HOUR_MS;

export interface BoundsOptions {
  readonly database: DatabaseSync;
  readonly batches: BatchTable;
  readonly sinks: SinkTable;
  readonly followed: FollowedTable;
  readonly gaps: GapTable;
  readonly repaired: RepairedTable;
  readonly ledger: LedgerTable;
  readonly memory: MemoryTable;
  readonly sources: SourceTable;
  readonly walFile: string;
  readonly maxBytes: number;
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly told: {
    /** The journal became full, or has room again. */
    paused(paused: boolean, fields: object): void;
    warn(fields: object, message: string): void;
  };
}

/**
 * Keeps the journal within its limit (K6): lets go of what was delivered, by age and when space is short, and
 * says when only what is still needed fills it.
 */
export class Bounds {
  paused = false;
  readonly #options: BoundsOptions;
  readonly #size: Size;
  /** At so many bytes it is full. */
  readonly #fullBytes: number;
  /** Events of our own are kept below so many bytes. */
  #ownBytes: number;
  /** It was full, and is not yet below {@link LET_GO_TO} again. */
  #short = false;
  /** When each of the warnings that may come often was last given. */
  readonly #told = new Map<string, number>();
  /** Records that were not told, and nobody has been told of. */
  #untold = 0;

  constructor(options: BoundsOptions) {
    this.#options = options;
    const { database, walFile, maxBytes } = options;
    this.#size = new Size(database, walFile);
    this.#fullBytes = (1 - RESERVE_SHARE) * maxBytes;
    this.#ownBytes = maxBytes;
    const { pageSize } = this.#size;
    // The log counts as well, so it may only be a small part of the limit.
    const logPages = Math.max(16, Math.min(1_000, Math.floor(maxBytes / 64 / pageSize)));
    database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`);
    database.exec(`PRAGMA journal_size_limit = ${2 * logPages * pageSize}`);
  }

  bytes(): number {
    return this.#size.bytes();
  }

  /**
   * Part of every transaction that writes. A sink still needs the batch in which its cursor stands; the newest
   * batch stays always. An orphan holds its backlog for the retention, but not when space is short (K8). A sink that is
   * not required holds it until the journal is full; what it loses then is written down (K6). Returns where such sinks
   * stand now.
   */
  letGo(): Moved[] {
    const { batches, sinks, gaps, maxBytes, retentionMs, clock, told } = this.#options;
    const oldestKept = clock.steady() - retentionMs;
    const { needed, spared, orphans } = this.#holders();
    const losses = new Losses({ batches, sinks, gaps, warn: told.warn });
    const held = orphans.filter((orphan) => {
      if ((orphan.orphaned ?? 0) >= oldestKept) return true;
      this.#forget(orphan, 'the retention has passed');
      return false;
    });
    for (let count = 0; count < MOST_AT_ONCE; count++) {
      const first = batches.first();
      if (!first || first.id >= needed) break;
      const losing = spared.filter(({ cursor }) => cursor.batch <= first.id);
      if (losing.length > 0 && !this.#isShort()) break;
      if (this.bytes() > GIVE_UP_ABOVE * maxBytes) {
        for (const orphan of held.filter(({ cursor }) => cursor.batch <= first.id)) {
          this.#forget(orphan, 'its backlog takes the room that others need');
          held.splice(held.indexOf(orphan), 1);
        }
        if (losing.length === 0)
          this.#warnHourly(
            { limitBytes: maxBytes },
            'the journal is over 80 % full: delivered records are given up before the retention has passed; ' +
              'raise state.maxBytes to be able to replay them',
          );
      } else if (first.at >= oldestKept || held.some(({ cursor }) => cursor.batch <= first.id)) {
        break;
      }
      if (losing.length > 0) losses.add(losing, first.id);
      batches.delete(first.id);
    }
    return losses.write(clock.wall());
  }

  /**
   * Part of a transaction: forgets the oldest of what was seen, and the oldest of the newest revisions, where either
   * takes more than its share (K6). See `judge` for what follows from that.
   */
  pruneMemory(limit: number): void {
    const { memory } = this.#options;
    this.#shrink(
      memory.seen,
      SEEN_BYTES,
      limit,
      'more records come within the windows of sweep and backfill than can be remembered: of what is older than `since` ' +
        'these readings find new alerts and new changes, but no earlier states and no changes without a time of their ' +
        'own; raise state.maxBytes to remember more',
    );
    this.#shrink(
      memory.states,
      STATE_BYTES,
      limit,
      'more alerts came in 90 days than can be remembered: those without a change since `since` are forgotten, and ' +
        'what becomes of them is told as an update, or not at all where updates or filters leave it out; raise ' +
        'state.maxBytes to remember more',
    );
  }

  /** Part of a transaction: forgets what sinks were not given of batches whose records are not remembered (K5). */
  pruneLedger(limit: number): void {
    const { memory, ledger, maxBytes } = this.#options;
    const since = memory.seenSince;
    const beforeMs = since === undefined ? Number.NEGATIVE_INFINITY : msOfTicks(since) - CLOCKS_APART_MS;
    ledger.prune(beforeMs, Math.floor((maxBytes * LEDGER_SHARE) / LEDGER_BYTES), limit);
  }

  #shrink(extents: Extents, rowBytes: number, limit: number, message: string): void {
    const raised = extents.shrink(Math.floor((this.#options.maxBytes * MEMORY_SHARE) / rowBytes), limit);
    if (!raised) return;
    const { source, tenant } = this.#options.sources.keyOf(raised.source) ?? {};
    this.#warnHourly({ source, tenant, since: isoOfTicks(raised.floor) }, message, `${source} ${tenant}`);
  }

  /** So many records were read that may have been told before, and were not told. */
  untold(records: number): void {
    this.#untold += records;
    if (this.#untold === 0) return;
    const isTold = this.#warnHourly(
      { records: this.#untold },
      'records were read that may have been told before, which has been forgotten: they are not told; raise ' +
        'state.maxBytes to remember more',
    );
    if (isTold) this.#untold = 0;
  }

  /** Part of a transaction: forgets ids of a source that sinks went on with, by age and when there are too many (R8). */
  pruneFollowed(source: number, floor: bigint, limit: number): void {
    const { followed, maxBytes } = this.#options;
    const most = Math.floor((maxBytes * FOLLOWED_SHARE) / FOLLOWED_BYTES);
    if (followed.prune(source, floor, limit, most) === 0) return;
    this.#warnHourly(
      { most },
      'more alerts that once matched are unresolved than can be remembered: the oldest are forgotten, and what ' +
        'becomes of them is told only if it matches; raise state.maxBytes to remember more',
    );
  }

  /**
   * Is there room for so many bytes that nobody needs (K6)? There is below the mark from which on what was delivered is
   * given up; and above it as long as some of that is left, well before anybody has to wait.
   */
  hasFreeRoom(more: number): boolean {
    const { batches, sinks, maxBytes } = this.#options;
    const bytes = this.bytes();
    if (this.paused || this.#short || bytes + more >= RESUME_BELOW * maxBytes) return false;
    if (bytes + more < GIVE_UP_ABOVE * maxBytes) return true;
    const cursors = [...sinks.all().values()].map(({ cursor }) => cursor.batch);
    return (batches.first()?.id ?? batches.last) < Math.min(batches.last, ...cursors);
  }

  /** After every transaction that wrote: is there room? Only what a required sink still needs can say no. */
  look(): void {
    const { maxBytes, told } = this.#options;
    const waiting = this.#waiting();
    const mayLose = this.#mayLose();
    const bytes = this.#bytesKept(waiting.length > 0 || mayLose);
    // The next transaction makes room.
    this.#short = mayLose && bytes >= (this.#short ? LET_GO_TO * maxBytes : this.#fullBytes);
    const full = bytes >= (this.paused ? RESUME_BELOW * maxBytes : this.#fullBytes);
    const paused = waiting.length > 0 && full && !mayLose;
    if (paused === this.paused) return;
    this.paused = paused;
    // The answer that filled it may have filled more than that: the reserve begins where the sources stop.
    this.#ownBytes = Math.max(maxBytes, bytes + RESERVE_SHARE * maxBytes);
    told.paused(paused, { bytes, limitBytes: maxBytes, sinks: waiting });
  }

  /** Part of a transaction: may something be told of the relay itself? While the sources pause it has the reserve. */
  hasRoomForOwn(): boolean {
    return !this.paused || this.bytes() < this.#ownBytes;
  }

  /** Is the oldest batch there only for sinks that are not required? */
  #mayLose(): boolean {
    const { needed, spared } = this.#holders();
    const first = this.#options.batches.first()?.id ?? needed;
    return first < needed && spared.some(({ cursor }) => cursor.batch <= first);
  }

  /** Nobody has to wait, or to lose anything, for a log that can be emptied. */
  #bytesKept(isNeeded: boolean): number {
    const { database } = this.#options;
    const bytes = this.bytes();
    if (!this.paused && !this.#short && !(isNeeded && bytes >= this.#fullBytes)) return bytes;
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return this.bytes();
  }

  /** Must room be made at the cost of sinks that are not required? From the limit on, until there is some. */
  #isShort(): boolean {
    return this.#short && this.bytes() >= LET_GO_TO * this.#options.maxBytes;
  }

  /**
   * The smallest batch that a required sink needs, the sinks that are not required, and those that are not in the config.
   */
  #holders(): { needed: number; spared: SinkRow[]; orphans: SinkRow[] } {
    const { batches, sinks } = this.#options;
    const rows = [...sinks.all().values()];
    const registered = rows.filter(({ orphaned }) => orphaned === null);
    const required = registered.filter((row) => row.required);
    return {
      needed: Math.min(batches.last, ...required.map(({ cursor }) => cursor.batch)),
      spared: registered.filter((row) => !row.required),
      orphans: rows.filter(({ orphaned }) => orphaned !== null),
    };
  }

  /** The required sinks that have not come to the end, the one furthest behind first. */
  #waiting(): { name: string; pending: number }[] {
    const { batches, sinks } = this.#options;
    return [...sinks.all().values()]
      .filter(({ orphaned, required }) => orphaned === null && required)
      .map(({ name, cursor }) => ({ name, pending: batches.pending(name, cursor) }))
      .filter(({ pending }) => pending > 0)
      .sort((a, b) => b.pending - a.pending);
  }

  #forget(orphan: SinkRow, why: string): void {
    this.#options.sinks.delete(orphan.name);
    this.#options.followed.deleteSink(orphan.name);
    this.#options.ledger.deleteSink(orphan.name);
    this.#options.gaps.deleteSink(orphan.name);
    this.#options.repaired.deleteSink(orphan.name);
    this.#options.told.warn(
      { sink: orphan.name, cursor: orphan.cursor },
      `a sink that is not in the config is let go of with its backlog: ${why}`,
    );
  }

  /** @param whom what is told of one is not told of another by that */
  #warnHourly(fields: object, message: string, whom = ''): boolean {
    const { clock, told } = this.#options;
    const key = `${message} ${whom}`;
    if (clock.steady() - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < HOUR_MS) return false;
    this.#told.set(key, clock.steady());
    told.warn(fields, message);
    return true;
  }
}
