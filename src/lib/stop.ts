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
 * terminal at Ctrl-C), and a parent in it passes on what it was told.
 */
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
  let askedAt = 0;
  const listeners = Object.entries(exitCodes).map(([name, exitCode]) => {
    const listener = () => {
      if (soft.signal.aborted) {
        if (performance.now() - askedAt >= ECHO_MS) options.force(exitCode);
        return;
      }
      askedAt = performance.now();
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
