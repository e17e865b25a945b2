import { JournalError, JournalUnavailableError } from '../core/errors.ts';
import type { JournalStats } from '../core/journal.ts';
import type { Log } from '../core/log.ts';

const LOOK_MS = 10_000;
/** What changes slowly is looked at every ten minutes. */
const LOOKS = 60;

export interface Looks {
  /** @param stats `undefined`: the journal does not answer */
  often(stats: JournalStats | undefined): void;
  /** Also at once. */
  rarely(): Promise<void>;
}

/** Looks at the journal every ten seconds, and at what changes slowly now and then. Whoever looks must end nothing. */
export function watchStats(
  stats: () => Promise<JournalStats>,
  log: Log,
  { often, rarely }: Looks,
): { close(): void } {
  const failed = (err: unknown) => {
    // A journal that cannot be read is told by others.
    if (!(err instanceof JournalError || err instanceof JournalUnavailableError))
      log.error({ err }, 'a look at how the relay is has failed unexpectedly');
  };
  let count = 0;
  const look = () => {
    stats()
      .catch(() => undefined)
      .then(often)
      .catch(failed);
    if (count++ % LOOKS === 0) rarely().catch(failed);
  };
  look();
  const timer = setInterval(look, LOOK_MS).unref();
  return { close: () => clearInterval(timer) };
}
