import { UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { spellCount, spellDuration } from '../lib/spell.ts';

/** A failure that lasts is told again so often. */
const REMIND_MS = 600_000;
/** In that time no more than so many lines tell of one that changes. */
const MOST_LINES = 5;
/** Who fails again within this time of being healed is failing on and off. */
const CALM_MS = 60_000;

/**
 * Tells the failures of one part so that they can be read. Told are: the first of a row; one that differs from
 * what was told last; every ten minutes, that it still lasts; and the healing. The rest can be seen with level
 * `debug`.
 *
 * A part that fails again within a minute of its healing is failing *on and off*: that is one row, until the part
 * has worked for a minute. So one that comes and goes all day writes three lines, and then one every ten minutes.
 */
export class Outage {
  readonly #log: Log;
  readonly #now: () => number;
  /** First failure of the row, milliseconds since 1970; `undefined` while all is well. */
  #since: number | undefined;
  #failures = 0;
  #onAndOff = false;
  #healedAt = Number.NEGATIVE_INFINITY;
  /** Runs while a healing has still to prove itself. */
  #proof: { readonly timer: NodeJS.Timeout; readonly from: number } | undefined;
  #told = { kind: '', atMs: 0, lines: 0 };

  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** @param waitMs until the next try; `undefined` when there is none */
  failed(error: unknown, waitMs: number | undefined): void {
    const now = this.#now();
    this.#cancelProof();
    const first = this.#since === undefined;
    if (this.#since === undefined) {
      this.#since = now;
      this.#failures = 0;
      this.#onAndOff = now - this.#healedAt < CALM_MS;
    }
    this.#failures++;

    const { level, kind, message, fields } = failureOf(error);
    const nextTry = waitMs === undefined ? '' : `; next try in ${spellDuration(waitMs)}`;
    const told = { attempt: this.#failures, ...(waitMs !== undefined && { retryInMs: waitMs }), ...fields };
    if (first) {
      this.#told = { kind, atMs: now, lines: 1 };
      this.#log[level](told, `${message}${nextTry}`);
    } else if (now - this.#told.atMs >= REMIND_MS) {
      this.#told = { kind, atMs: now, lines: 1 };
      const lasting = `${this.#onAndOff ? 'failing on and off' : 'still failing'} since ${iso(this.#since)}`;
      this.#log[level](told, `${lasting} (${spellCount(this.#failures, 'failure')}): ${message}${nextTry}`);
    } else if (kind !== this.#told.kind && this.#told.lines < MOST_LINES) {
      this.#told = { kind, atMs: this.#told.atMs, lines: this.#told.lines + 1 };
      this.#log[level](told, `${message}${nextTry}`);
    } else {
      this.#log.debug(told, `${message}${nextTry}`);
    }
  }

  /** The part has got something done. */
  healthy(): void {
    if (this.#since === undefined || this.#proof) return;
    const from = this.#now();
    if (this.#onAndOff) {
      this.#proof = { from, timer: setTimeout(() => this.#healed(from), CALM_MS) };
      this.#proof.timer.unref();
    } else {
      this.#healed(from);
    }
  }

  /** The part ends, and nothing more will be heard of it. */
  end(): void {
    const from = this.#proof?.from;
    if (from !== undefined) this.#healed(from);
  }

  #healed(atMs: number): void {
    if (this.#since === undefined) return;
    this.#cancelProof();
    const failingForMs = atMs - this.#since;
    const failures = this.#failures;
    this.#since = undefined;
    this.#healedAt = this.#now();
    const after = `after ${spellDuration(failingForMs)} and ${spellCount(failures, 'failure')}`;
    this.#log.info({ failures, failingForMs }, `working again, ${after}`);
  }

  #cancelProof(): void {
    clearTimeout(this.#proof?.timer);
    this.#proof = undefined;
  }
}

interface Failure {
  readonly level: 'warn' | 'error';
  /** Equal for what a reader would call the same failure. */
  readonly kind: string;
  readonly message: string;
  readonly fields: object;
}

function failureOf(error: unknown): Failure {
  if (error instanceof UnavailableError) {
    const { reason, message } = error;
    // Only a person can mend it, whatever else comes and goes by itself.
    const level = reason === 'auth' || reason === 'config' ? 'error' : 'warn';
    return { level, kind: `${reason}: ${plain(message)}`, message, fields: { reason } };
  }
  // Nobody foresaw this one, so the stack is what helps.
  const message = 'failed unexpectedly; starting again';
  const said = error instanceof Error ? plain(error.message) : typeof error;
  return { level: 'error', kind: `bug: ${said}`, message, fields: { err: error } };
}

/** Without the words that have digits: ports, counters, times, and ids of requests differ each time. */
const plain = (message: string): string => message.replaceAll(/\S*\d\S*/g, '#');

const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
