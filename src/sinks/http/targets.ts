import type { Log } from '../../core/log.ts';
import type { Secret } from '../../lib/secret.ts';

/** Where to send. */
export interface Target {
  /** As of now. */
  url(): string;
  /** Its name in messages. */
  readonly host: string;
  /** It never changes. */
  readonly origin: string;
  /** Texts of its address that nobody may read. */
  secrets(): readonly string[];
}

/** @param url its path may be a secret, and be replaced */
export function targetOf(url: string | Secret): Target {
  const text = () => (typeof url === 'string' ? url : url.reveal());
  const { host, origin } = new URL(text());
  return {
    url: text,
    host,
    origin,
    secrets: () => (typeof url === 'string' ? wholesOf(url) : url.revealAll().flatMap(partsOf)),
  };
}

/** A path can be as good as a password. */
function wholesOf(text: string): string[] {
  if (!URL.canParse(text)) return [text];
  const { href, pathname, search } = new URL(text);
  return [href, pathname + search, pathname, search].filter((whole) => whole.length > 1);
}

/** Shorter ones are words such as `v1` or `in`, and struck out they would take away what a message says. */
const SHORTEST_SECRET = 6;

/** With what a far end may tell of it alone. */
function partsOf(text: string): string[] {
  const wholes = wholesOf(text);
  if (!URL.canParse(text)) return wholes;
  const { pathname, searchParams } = new URL(text);
  const parts = [...pathname.split('/'), ...searchParams.values(), ...searchParams.keys()];
  return [...wholes, ...parts.filter((part) => part.length >= SHORTEST_SECRET)];
}

/** How long one that failed is passed over, as long as another is there. Twice as long each time, up to an hour. */
const REST_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;

/**
 * Several receivers in the order in which they are wanted. The first that works is used; one that failed is tried again
 * after a rest, with the next request, which goes to another one if it fails again.
 */
export class Targets {
  readonly #targets: readonly Target[];
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #failures = new Map<Target, { readonly untilMs: number; readonly restMs: number }>();
  #last: Target | undefined;

  /** @param clock milliseconds, only ever going forward */
  constructor(targets: readonly Target[], log: Log, clock: () => number) {
    this.#targets = targets;
    this.#log = log;
    this.#clock = clock;
  }

  get count(): number {
    return this.#targets.length;
  }

  /** Those that rest come last. */
  inOrder(): readonly Target[] {
    const now = this.#clock();
    const rests = (target: Target) => Number((this.#failures.get(target)?.untilMs ?? 0) > now);
    return this.#targets.toSorted((a, b) => rests(a) - rests(b));
  }

  failed(target: Target): void {
    const before = this.#failures.get(target);
    const now = this.#clock();
    // Requests that were under way together fail together.
    if (before && before.untilMs > now) return;
    const restMs = before ? Math.min(LONGEST_REST_MS, before.restMs * 2) : REST_MS;
    this.#failures.set(target, { untilMs: now + restMs, restMs });
  }

  works(target: Target): void {
    this.#failures.delete(target);
    if (this.#last !== undefined && this.#last !== target)
      this.#log.warn({ from: this.#last.host, to: target.host }, `goes on with ${target.host}`);
    this.#last = target;
  }
}
