/**
 * The thread that owns the database (K2): `node:sqlite` is synchronous, and an fsync on the main thread would
 * stop polls, confirmations and the watchdog.
 */
import type { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import { BackgroundCheck } from './background.ts';
import { Ballast } from './ballast.ts';
import { systemClock } from './clock.ts';
import { lockDirectory, makeDatabase, pathsIn, prepareDirectory } from './database.ts';
import { Healing } from './healing.ts';
import type { JournalMethods, JournalNotice } from './protocol.ts';
import { Moving, notifier, serve } from './rpc.ts';
import { type OpenOptions, openStore, type Store } from './store.ts';
import { isFull, journalError } from './trouble.ts';

if (!parentPort) throw new Error('worker.ts is a worker thread of journal.ts');
const port = parentPort;
const notify = notifier<JournalNotice>(port);

/** Whose the directory is from `prepare` on. */
let taken: { readonly options: OpenOptions; readonly lock: DatabaseSync } | undefined;
let healing: Healing | undefined;
let check: BackgroundCheck | undefined;

/** Writes that wait for the next transaction. */
let waiting: { run: (store: Store) => void; resolve: () => void; reject: (error: unknown) => void }[] = [];

function guarded<T>(work: (store: Store) => T): T {
  if (!healing) throw new Error('the journal is not open');
  return healing.run(work);
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
  prepare(options) {
    const { directory, version } = options;
    try {
      prepareDirectory(directory, (message) => notify({ level: 'warn', fields: { directory }, message }));
      taken = { options, lock: lockDirectory(directory) };
      new Ballast(pathsIn(directory).ballast).makeWay();
      return makeDatabase(directory, version);
    } catch (cause) {
      throw journalError(directory, cause);
    }
  },
  open() {
    if (!taken) throw new Error('the state directory is not ours');
    const { options } = taken;
    const { directory } = options;
    const clock = systemClock();
    const open = () => openStore(options, notify, clock);
    const ballast = new Ballast(pathsIn(directory).ballast);
    try {
      const store = withRoom(open, ballast);
      healing = new Healing(store, { directory, open, ballast, notify, steady: () => performance.now() });
      if (!store.opening.clean) {
        check = new BackgroundCheck({ directory, isWell: () => healing?.isWell === true, notify });
        check.start();
      }
      return store.opening;
    } catch (cause) {
      throw journalError(directory, cause);
    }
  },
  checkpoint: (key) => guarded((store) => store.checkpoint(key)),
  append(page) {
    healing?.checkRoom();
    return write((store) => store.append(page));
  },
  appendFor(which) {
    healing?.checkRoom();
    return write((store) => store.appendFor(which));
  },
  search: (search) => guarded((store) => store.search(search)),
  recordsAt: (places) => guarded((store) => store.recordsAt(places)),
  async register(sinks) {
    await write((store) => store.register(sinks));
    return guarded((store) => store.places());
  },
  advance: (steps) => write((store) => store.advance(steps)),
  tell: (notes) => write((store) => store.tell(notes)),
  tellCoverage: () => write((store) => store.tellCoverage()),
  follows: ({ sink, ids }) => guarded((store) => store.follows(sink, ids)),
  read(cursor) {
    const chunk = guarded((store) => store.read(cursor));
    // Left behind, they would be garbage that this thread does not look for: they are outside of its heap.
    const memory = chunk?.batches.flatMap(({ data: { buffer } }) =>
      buffer instanceof ArrayBuffer ? buffer : [],
    );
    return new Moving(chunk, memory ?? []);
  },
  compare: (window) => guarded((store) => store.compare(window)),
  repair(missing) {
    healing?.checkRoom();
    return write((store) => store.repair(missing));
  },
  gaps: () => guarded((store) => store.gaps()),
  closeGap: (gap) => write((store) => store.closeGap(gap)),
  reconciledAt: (key) => guarded((store) => store.reconciledAt(key)),
  noteReconciled: ({ atMs, ...key }) => write((store) => store.noteReconciled(key, atMs)),
  stats: () => guarded((store) => store.stats()),
  coverage: () => guarded((store) => store.coverage()),
  forget: ({ sink, always }) => write((store) => store.forget(sink, always)),
  retry: (choice) => write((store) => store.retry(choice)),
  drop: (choice) => write((store) => store.drop(choice)),
  leave() {
    commitWaiting();
    check?.stop();
    healing?.stop();
    guarded((store) => store.leave());
  },
  close() {
    guarded((store) => store.close());
    taken?.lock.close();
  },
});

/** To open it takes room, too, and a disk that was full when the last one ended may be full now. */
function withRoom(open: () => Store, ballast: Ballast): Store {
  try {
    return open();
  } catch (error) {
    if (!isFull(error) || !ballast.giveUp()) throw error;
    return open();
  }
}
