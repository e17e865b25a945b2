import type { EventEmitter } from 'node:events';

/** The two ways to be asked to end. */
export interface Stop {
  /** Begin nothing new; waiting (poll, back-off) listens to it. */
  readonly soft: AbortSignal;
  /** Abandon what is in flight; sending listens to it. */
  readonly hard: AbortSignal;
}

/**
 * One wish to end may come as two signals: a service manager tells the whole process group (systemd, `tini -g`, the
 * terminal at Ctrl-C), and a parent in it passes on what it was told. Our own parent (main.ts) says that it does so, by
 * this number of a signal; of another one (npm) it can only be told by the time.
 */
const PASSED_ON = 0;
const ECHO_MS = 500;

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * First SIGTERM or SIGINT: soft, and hard after `graceMs`. At another one, half a second later or more, `force` is
 * called with the exit code that shells expect: the journal is on disk, so ending at once costs duplicates at most.
 */
export function stopOnSignals(
  events: EventEmitter,
  options: { graceMs: () => number; force: (exitCode: number) => void },
): Stop & { dispose(): void } {
  const soft = new AbortController();
  const hard = new AbortController();
  const wishes = { own: 0, passedOn: 0 };
  let askedAt = Number.NEGATIVE_INFINITY;
  const listeners = Object.entries(exitCodes).map(([name, exitCode]) => {
    const listener = (_name?: string, number?: number) => {
      if (number === PASSED_ON) wishes.passedOn++;
      else if (performance.now() - askedAt >= ECHO_MS) {
        wishes.own++;
        askedAt = performance.now();
      }
      if (Math.max(wishes.own, wishes.passedOn) > 1) options.force(exitCode);
      if (soft.signal.aborted) return;
      soft.abort();
      // unref: a clean stop must not wait out its own grace period.
      setTimeout(() => hard.abort(), options.graceMs()).unref();
    };
    events.on(name, listener);
    return [name, listener] as const;
  });
  return {
    soft: soft.signal,
    hard: hard.signal,
    dispose: () => {
      for (const [name, listener] of listeners) events.off(name, listener);
    },
  };
}
