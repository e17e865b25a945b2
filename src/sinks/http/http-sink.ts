import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { oneLine } from '../../lib/one-line.ts';
import type { Secret } from '../../lib/secret.ts';
import { abortError, isAbort, orAbort } from '../../lib/wait.ts';
import type { HttpClient } from '../../net/client.ts';
import type { HttpAnswer } from '../../net/http.ts';
import { Accepted } from './accepted.ts';
import { judge, type Verdict } from './answer.ts';
import type { Auth } from './auth.ts';
import { type Compression, compress } from './compress.ts';
import {
  type Body,
  encode,
  idempotencyKey,
  type Outgoing,
  outgoing,
  requestsOf,
  sizeOfAll,
} from './request.ts';
import type { Target, Targets } from './targets.ts';

export interface HttpSinkOptions {
  readonly targets: Targets;
  readonly client: HttpClient;
  readonly auth: Auth;
  readonly method: 'POST' | 'PUT';
  readonly body: Body;
  readonly compression: Compression;
  readonly headers: readonly { readonly name: string; readonly value: string | Secret }[];
  /** Of one request, before it is compressed. */
  readonly maxRequestBytes: number;
  /** For one `send`, all receivers together. */
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Log;
  /** What an operator has to know as long as it is so. */
  readonly notes: readonly string[];
  /** The same, said every hour. */
  readonly warnings: readonly string[];
}

const BOUNDLESS: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
const MAX_ANSWER_BYTES = 65_536;
/** So many refusals without an acceptance between say more of the receiver than of the records (S4). */
const MOST_REFUSALS = 10;
/** Requests of which it is remembered that they were not answered for. */
const MOST_UNANSWERED = 64;
const HOUR_MS = 3_600_000;
/** A write must end before its time is over, to say what it waited for. */
const SHARE_OF_TIME = 0.9;

type Refused = SendResult['refused'][number];

/** What is known of one `send` by now. */
interface Job {
  readonly signal: AbortSignal;
  readonly refused: Map<number, Refused>;
  /** Since something was accepted. */
  inARow: number;
}

/**
 * Sends batches as HTTP requests. The answer is the receipt: a send resolves when the far end has answered for each
 * of its events. Several sends may be under way.
 *
 * What was accepted is remembered for a while, and left out should it come again under the same number: its send, or
 * one before it, has failed since. So a failure makes no copies of what was answered for, and a batch of many requests
 * gets on however often it is broken off.
 */
export class HttpSink implements Sink {
  readonly headerBytes = 0;
  readonly confirms = 'answer';
  readonly #options: HttpSinkOptions;
  #isOpen = false;
  #compression: Compression;
  readonly #accepted = new Accepted();
  /** What the far end took of a request that was too large for it. */
  #mostBytes = Number.POSITIVE_INFINITY;
  /** Keys of the events of each request. */
  #unanswered: (readonly string[])[] = [];
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(options: HttpSinkOptions) {
    this.#options = options;
    this.#compression = options.compression;
  }

  messages({ events }: Rendered): readonly Buffer[] {
    return events.map(oneLine);
  }

  window(): Room {
    return BOUNDLESS;
  }

  notes(): readonly string[] {
    const { notes, warnings, compression } = this.#options;
    const all = [...notes, ...warnings];
    if (this.#compression !== compression)
      all.push(`the receiver does not take ${compression}: what is sent is not compressed`);
    if (Number.isFinite(this.#mostBytes)) all.push(limited(this.#mostBytes));
    return all;
  }

  /** Connects nowhere: that a far end takes connections says nothing of whether it takes events. */
  async open(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    this.#isOpen = true;
    this.#warn();
  }

  async send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    if (signal.aborted) throw abortError(signal);
    if (!this.#isOpen) throw new UnavailableError('the sink is closed', { reason: 'other' });
    this.#warn();
    const { body, maxRequestBytes } = this.#options;
    const events = outgoing(batch);
    const unknown = this.#accepted.left(events);
    // A single record may be sent to see whether the far end is well, and nobody but it can tell.
    const left = unknown.length === 0 && batch.length === 1 ? events : unknown;
    const job: Job = { signal, refused: new Map(), inARow: 0 };
    const mostBytes = Math.min(maxRequestBytes, this.#mostBytes);
    for (const request of requestsOf(left, body, mostBytes, this.#unanswered))
      await this.#deliver(request, job);
    const refused = [...job.refused.values()].toSorted((a, b) => a.index - b.index);
    return { confirmed: Promise.resolve({ refused }) };
  }

  async confirm(): Promise<void> {}

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#options.client.close();
    this.#options.auth.close();
  }

  #warn(): void {
    const { warnings, log, now } = this.#options;
    if (now() - this.#warnedMs < HOUR_MS) return;
    this.#warnedMs = now();
    for (const warning of warnings) log.warn({}, warning);
  }

  /** Until the far end has answered for each of the events. What it refuses is narrowed down to the one that it is about. */
  async #deliver(events: readonly Outgoing[], job: Job): Promise<void> {
    // A record is refused as a whole.
    const wanted = events.filter(({ index }) => !job.refused.has(index));
    const [first] = wanted;
    if (!first) return;
    const verdict = await this.#ask(wanted, job.signal);
    if (verdict.kind === 'taken') {
      job.inARow = 0;
      this.#accepted.add(wanted);
      return;
    }
    if (wanted.length > 1) {
      const half = Math.ceil(wanted.length / 2);
      const halves = [wanted.slice(0, half), wanted.slice(half)];
      const before = job.refused.size;
      for (const each of halves) await this.#deliver(each, job);
      // Where an event was refused, it was that one which was too large.
      if (verdict.kind === 'too-large' && job.refused.size === before) this.#learn(halves.map(sizeOfAll));
      return;
    }
    const { kind: reason, detail } = verdict;
    job.refused.set(first.index, { index: first.index, reason, detail });
    job.inARow++;
    if (job.inARow < MOST_REFUSALS) return;
    const message = `refused ${MOST_REFUSALS} events and accepted none between: ${detail}. All of them are kept; check url, body and format`;
    throw new UnavailableError(message, { reason: 'config' });
  }

  /** Else each later request of that size would be sent in vain, too. */
  #learn(taken: readonly number[]): void {
    const mostBytes = Math.max(...taken);
    if (mostBytes >= this.#mostBytes) return;
    this.#mostBytes = mostBytes;
    this.#options.log.warn({ bytes: mostBytes }, limited(mostBytes));
  }

  /** @throws {UnavailableError} no receiver has answered for them */
  async #ask(
    events: readonly Outgoing[],
    signal: AbortSignal,
  ): Promise<Verdict & { kind: 'taken' | 'too-large' | 'rejected' }> {
    // Without them nobody can be asked, and no receiver is to blame.
    await orAbort(this.#options.auth.headers(), signal);
    const keys = events.map(({ key }) => key);
    const same = (other: readonly string[]) => other.length === keys.length && other[0] === keys[0];
    // Until there is an answer, so that an abort leaves it there.
    this.#unanswered = [...this.#unanswered.filter((other) => !same(other)), keys].slice(-MOST_UNANSWERED);
    const failures: UnavailableError[] = [];
    for (const target of this.#options.targets.inOrder()) {
      try {
        const verdict = await this.#askOne(target, events, signal);
        this.#options.targets.works(target);
        this.#unanswered = this.#unanswered.filter((other) => !same(other));
        return verdict;
      } catch (error) {
        if (isAbort(error) || !(error instanceof UnavailableError)) throw error;
        this.#options.targets.failed(target);
        failures.push(error);
      }
    }
    throw togetherOf(failures);
  }

  async #askOne(
    target: Target,
    events: readonly Outgoing[],
    signal: AbortSignal,
  ): Promise<Verdict & { kind: 'taken' | 'too-large' | 'rejected' }> {
    const { auth } = this.#options;
    // Another request may turn it off meanwhile.
    const compression = this.#compression;
    let credentials = await orAbort(auth.headers(), signal);
    let answer = await this.#request(target, events, credentials, compression, signal);
    if (answer.status === 401 || answer.status === 403) {
      const before = this.#ownHeaders();
      for (const { value } of this.#options.headers) if (typeof value !== 'string') value.look();
      const newer = await orAbort(auth.headers(credentials), signal);
      if (!isSame(newer, credentials) || !isSame(this.#ownHeaders(), before)) {
        credentials = newer;
        answer = await this.#request(target, events, credentials, compression, signal);
      }
    }
    const verdict = judge(answer, {
      host: target.host,
      isCompressed: compression !== 'none',
      secrets: this.#secrets(target, credentials),
      nowMs: this.#options.now(),
    });
    if (verdict.kind === 'unavailable') throw verdict.error;
    if (verdict.kind !== 'not-compressed') return verdict;
    if (this.#compression !== 'none')
      this.#options.log.warn({}, `${verdict.detail}: from now on what is sent is not compressed`);
    this.#compression = 'none';
    return await this.#askOne(target, events, signal);
  }

  async #request(
    target: Target,
    events: readonly Outgoing[],
    credentials: Readonly<Record<string, string>>,
    compression: Compression,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { client, method, body, timeoutMs, targets } = this.#options;
    const { type, bytes } = encode(events, body);
    const compressed = await compress(bytes, compression);
    if (signal.aborted) throw abortError(signal);
    return await client.ask({
      url: urlOf(target),
      method,
      headers: {
        'content-type': type,
        accept: '*/*',
        'user-agent': 'defender-relay',
        ...(compression !== 'none' && { 'content-encoding': compression }),
        'idempotency-key': idempotencyKey(events),
        ...this.#ownHeaders(),
        ...credentials,
      },
      body: compressed,
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: Math.floor((timeoutMs * SHARE_OF_TIME) / targets.count),
      signal,
    });
  }

  /** Those of the config, as of now. */
  #ownHeaders(): Readonly<Record<string, string>> {
    const { headers } = this.#options;
    return Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), textOf(value)]));
  }

  #secrets(target: Target, credentials: Readonly<Record<string, string>>): string[] {
    const { headers, auth, client } = this.#options;
    const own = headers.flatMap(({ value }) => (typeof value === 'string' ? [] : value.revealAll()));
    const shown = Object.values(credentials).flatMap((text) => [text, text.replace(/^\S+ /, '')]);
    return [...own, ...auth.secrets(), ...client.secrets, ...shown, ...target.secrets()];
  }
}

const limited = (bytes: number): string =>
  `the receiver answered 413 to larger requests: they have ${bytes} bytes at most from now on. Set maxRequestBytes to what it takes`;

/** @throws {UnavailableError} the file with it has something else in it now */
function urlOf(target: Target): string {
  const text = target.url();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.origin === target.origin && url.username === '' && url.password === '') return text;
  const message = `secretUrl is not an address at ${target.origin} any more: correct it, or start the relay again`;
  throw new UnavailableError(message, { reason: 'config' });
}

function textOf(value: string | Secret): string {
  return typeof value === 'string' ? value : value.reveal();
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.entries(a).every(([name, value]) => b[name] === value);
}

/** What several receivers have in common. Sooner than the first wants it there is no use in trying again. */
function togetherOf(failures: readonly UnavailableError[]): UnavailableError {
  const [first, ...others] = failures;
  if (first && others.length === 0) return first;
  const waits = failures.map(({ retryAfterMs }) => retryAfterMs);
  return new UnavailableError(failures.map(({ message }) => message).join('. And '), {
    reason: first?.reason ?? 'network',
    retryAfterMs: waits.every((wait) => wait !== undefined) ? Math.min(...waits) : undefined,
    cause: first,
  });
}
