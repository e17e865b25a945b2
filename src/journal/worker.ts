/**
 * The thread that owns the database (K2): `node:sqlite` is synchronous, and an fsync on the main thread would
 * stop polls, confirmations and the watchdog.
 */
import { parentPort } from 'node:worker_threads';
import type { JournalMethods, JournalNotice } from './protocol.ts';
import { notifier, serve } from './rpc.ts';
import { Store } from './store.ts';
import { journalError } from './trouble.ts';

if (!parentPort) throw new Error('worker.ts is a worker thread of journal.ts');
const port = parentPort;
const notify = notifier<JournalNotice>(port);

let opened: { store: Store; directory: string } | undefined;
/** After the first error nothing is done any more: the state on disk is not known (K1). */
let lost: Error | undefined;

/** Writes that wait for the next transaction. */
let waiting: { run: (store: Store) => void; resolve: () => void; reject: (error: unknown) => void }[] = [];

/** Runs `work`, unless something failed before. */
function guarded<T>(work: (store: Store) => T): T {
  if (lost) throw lost;
  if (!opened) throw new Error('the journal is not open');
  try {
    return work(opened.store);
  } catch (cause) {
    lost = journalError(opened.directory, cause);
    throw lost;
  }
}

/** Group commit: what comes in while a transaction runs is written in the next one, all together. */
function write<T>(run: (store: Store) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    if (waiting.length === 0) setImmediate(commitWaiting);
    let result: T;
    waiting.push({
      run: (store) => {
        result = run(store);
      },
      resolve: () => resolve(result),
      reject,
    });
  });
}

function commitWaiting(): void {
  const group = waiting;
  if (group.length === 0) return;
  waiting = [];
  try {
    guarded((store) =>
      store.commit(() => {
        for (const { run } of group) run(store);
      }),
    );
    for (const { resolve } of group) resolve();
  } catch (error) {
    for (const { reject } of group) reject(error);
  }
}

serve<JournalMethods>(port, {
  open({ version, ...options }) {
    const { directory } = options;
    try {
      const store = new Store({ ...options, version }, notify);
      opened = { store, directory };
      return store.opening;
    } catch (cause) {
      throw journalError(directory, cause);
    }
  },
  checkpoint: (key) => guarded((store) => store.checkpoint(key)),
  append: (page) => write((store) => store.append(page)),
  register: (sinks) => write((store) => store.register(sinks)),
  advance: (steps) => write((store) => store.advance(steps)),
  follows: ({ sink, ids }) => guarded((store) => store.follows(sink, ids)),
  read: (cursor) => guarded((store) => store.read(cursor)),
  stats: () => guarded((store) => store.stats()),
  coverage: () => guarded((store) => store.coverage()),
  forget: ({ sink, always }) => write((store) => store.forget(sink, always)),
  retry: (choice) => write((store) => store.retry(choice)),
  drop: (choice) => write((store) => store.drop(choice)),
  close() {
    commitWaiting();
    guarded((store) => store.close());
  },
});
