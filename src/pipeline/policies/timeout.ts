import { UnavailableError } from '../../core/errors.ts';
import type { Sink } from '../../core/sink.ts';
import { orAbort } from '../../lib/wait.ts';

/**
 * A sink of which every opening and every send ends within `ms` milliseconds. It goes inside what tries again:
 * it bounds one try. (A confirmation is bounded by the sink: it knows when it asked for one.)
 */
export function withTimeout(sink: Sink, ms: number): Sink {
  const bounded = async <T>(what: string, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>) => {
    const overdue = new AbortController();
    // `AbortSignal.timeout` would stay in memory for all of its time, one for each send.
    const timer = setTimeout(() => overdue.abort(new DOMException(`${ms} ms are over`, 'TimeoutError')), ms);
    const either = AbortSignal.any([signal, overdue.signal]);
    try {
      // `orAbort`: also when the sink does not heed the signal.
      return await orAbort(run(either), either);
    } catch (cause) {
      if (!overdue.signal.aborted || signal.aborted) throw cause;
      throw new UnavailableError(`${what} did not end within ${ms} ms`, { cause, reason: 'timeout' });
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    headerBytes: sink.headerBytes,
    messages: (rendered) => sink.messages(rendered),
    window: () => sink.window(),
    close: () => sink.close(),
    open: (signal) => bounded('connecting', signal, (either) => sink.open(either)),
    send: (batch, signal) => bounded('sending', signal, (either) => sink.send(batch, either)),
    confirm: (signal, how) => sink.confirm(signal, how),
  };
}
