import type { Appended, Journal } from '../core/journal.ts';
import type { Page, Source } from '../core/source.ts';
import { orAbort, wait } from '../lib/wait.ts';

export interface IngestOptions {
  /** Configured name of the source. */
  readonly name: string;
  readonly source: Source;
  readonly journal: Pick<Journal, 'checkpoint' | 'append' | 'room'>;
  /** From the beginning of one reading to that of the next, milliseconds. */
  readonly everyMs: number;
  readonly updates: 'all' | 'none';
  readonly observer: IngestObserver;
}

export interface IngestObserver {
  /** A page and its checkpoint are on disk. */
  kept(page: Page, appended: Appended): void;
  /** A reading has come to its end. */
  read(): void;
}

/** Source → journal, until `signal`. Ends by an AbortError only; all else it throws is for `restarted`. */
export async function ingest(
  options: IngestOptions,
  signal: AbortSignal,
  healthy: () => void,
): Promise<void> {
  const { name, source, journal, observer, updates } = options;
  const key = { source: name, tenant: source.tenant };
  let checkpoint = await orAbort(journal.checkpoint(key), signal);
  while (true) {
    // Bounded means: stop reading (K6). Graph keeps the alerts meanwhile.
    await journal.room(signal);
    const begun = performance.now();
    for await (const page of source.read(checkpoint, signal)) {
      // One that was given up (see `unlessStalled`) must not keep anything when it comes to itself again.
      signal.throwIfAborted();
      const { reading, records, dateMs, lateSince, floor, unread, readAgain } = page;
      // Records and checkpoint in one transaction: a crash here repeats a page, it never skips one (K1).
      const append = { ...key, reading, records, dateMs, checkpoint: page.checkpoint, floor, updates };
      const since = lateSince !== undefined && { lateSince };
      const news = { ...(unread && { unread }), ...(readAgain && { readAgain }) };
      const appended = await journal.append({ ...append, ...since, ...news });
      const moved = page.checkpoint !== checkpoint;
      checkpoint = page.checkpoint;
      source.kept?.(page, appended);
      observer.kept(page, appended);
      // A reading that breaks behind the same page each time has got nothing done, and must wait longer and longer.
      if (moved) healthy();
      await journal.room(signal);
    }
    observer.read();
    healthy();
    await wait(Math.max(0, options.everyMs - (performance.now() - begun)), signal);
  }
}
