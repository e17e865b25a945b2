import type { Appended, Journal } from '../core/journal.ts';
import type { Page, Source } from '../core/source.ts';
import { wait } from '../lib/wait.ts';

export interface IngestOptions {
  /** Configured name of the source. */
  readonly name: string;
  readonly source: Source;
  readonly journal: Pick<Journal, 'checkpoint' | 'append' | 'room'>;
  /** Pause between two readings, milliseconds. */
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
  let checkpoint = await journal.checkpoint(key);
  while (true) {
    // Bounded means: stop reading (K6). Graph keeps the alerts meanwhile.
    await journal.room(signal);
    for await (const page of source.read(checkpoint, signal)) {
      const { records, floor } = page;
      // Records and checkpoint in one transaction: a crash here repeats a page, it never skips one (K1).
      const appended = await journal.append({ ...key, records, checkpoint: page.checkpoint, floor, updates });
      const moved = page.checkpoint !== checkpoint;
      checkpoint = page.checkpoint;
      observer.kept(page, appended);
      // A reading that breaks behind the same page each time has got nothing done, and must wait longer and longer.
      if (moved) healthy();
      await journal.room(signal);
    }
    observer.read();
    healthy();
    await wait(options.everyMs, signal);
  }
}
