import type { JournalStats } from '../core/journal.ts';

const LOOK_MS = 10_000;
/** What changes slowly is looked at every ten minutes. */
const LOOKS = 60;

export interface Looks {
  /** @param stats `undefined`: the journal does not answer */
  often(stats: JournalStats | undefined): void;
  /** Also at once. */
  rarely(): void;
}

/** Looks at the journal every ten seconds, and at what changes slowly now and then. */
export function watchStats(stats: () => Promise<JournalStats>, { often, rarely }: Looks): { close(): void } {
  let count = 0;
  const look = () => {
    void stats().then(often, () => often(undefined));
    if (count++ % LOOKS === 0) rarely();
  };
  look();
  const timer = setInterval(look, LOOK_MS).unref();
  return { close: () => clearInterval(timer) };
}
