import { spellCount } from '../lib/spell.ts';
import { type Checked, checkJournal } from './check.ts';
import type { JournalNotice } from './protocol.ts';

/** Between two steps at least, … */
const PAUSE_MS = 20;
/** … and so many times as long as the last step took: the check has a fifth of the thread at most. */
const PAUSE_FACTOR = 4;
/** When the disk is at fault, the check begins anew so much later. */
const FAULT_MS = 30_000;

export interface BackgroundOptions {
  readonly directory: string;
  /** Nothing is wrong with the disk: what cannot be read then is broken. */
  readonly isWell: () => boolean;
  readonly notify: (notice: JournalNotice) => void;
}

/**
 * Goes through all records of a journal whose relay ended all of a sudden, a batch at a time, between what the thread
 * has to do otherwise (K10). What is broken is told as soon as it is found, long before a sink comes to it.
 */
export class BackgroundCheck {
  readonly #options: BackgroundOptions;
  readonly #told = new Set<string>();
  #going: Generator<number, Checked> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#step(), PAUSE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#letGo();
  }

  #step(): void {
    const beganMs = performance.now();
    const goesOn = this.#goOn();
    const tookMs = performance.now() - beganMs;
    if (goesOn) this.#timer = setTimeout(() => this.#step(), Math.max(PAUSE_MS, PAUSE_FACTOR * tookMs));
  }

  /** Says whether there is more to do. */
  #goOn(): boolean {
    const { isWell, notify } = this.#options;
    if (!isWell()) {
      // What was read while the disk was at fault means nothing.
      this.#letGo();
      this.#timer = setTimeout(() => this.#step(), FAULT_MS);
      return false;
    }
    try {
      this.#going ??= this.#begin();
      const step = this.#going.next();
      if (step.done) this.#end(step.value);
      return !step.done;
    } catch (error) {
      this.#letGo();
      const message = `the check of the journal's records was given up: ${(error as Error).message}`;
      notify({ level: 'warn', fields: {}, message });
      return false;
    }
  }

  #begin(): Generator<number, Checked> {
    return checkJournal(this.#options.directory, {
      running: true,
      keep: {
        lost: (batch, what, sinks) => {
          const whom =
            sinks.length > 0
              ? `The relay ends when it comes to it for ${sinks.join(', ')}`
              : 'Every sink has had it';
          this.#tell(what, { batch, sinks }, whom);
        },
      },
    });
  }

  #end({ findings }: Checked): void {
    const { notify } = this.#options;
    this.#going = undefined;
    const { records, batches, broken, problems } = findings;
    for (const { what } of problems) if (!what.startsWith('batch ')) this.#tell(what, {});
    const fields = { records, batches: batches.size, broken: broken.length };
    if (problems.length > 0) return;
    const message = `after the sudden end all that the journal has was checked, and is whole: ${spellCount(records, 'record')}`;
    notify({ level: 'info', fields, message });
  }

  #tell(what: string, fields: object, more?: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    const message =
      `the check of the journal found that ${what}. ${more === undefined ? '' : `${more}. `}Stop the relay, and see what ` +
      '"defender-relay journal check" says';
    this.#options.notify({ level: 'error', fields, message });
  }

  #letGo(): void {
    // Closes what it has open.
    this.#going?.return(undefined as never);
    this.#going = undefined;
  }
}
