import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import { secretsOf } from './config/secrets.ts';
import { type ControlCommands, commandsOn } from './control/protocol.ts';
import { openControl } from './control/server.ts';
import { JournalUnavailableError, RelayError } from './core/errors.ts';
import type { Reconciled } from './core/reconciled.ts';
import { openJournal } from './journal/journal.ts';
import { Closers } from './lib/closers.ts';
import { IN_MEMORY, MemoryDirectory } from './lib/memory-directory.ts';
import type { Secret } from './lib/secret.ts';
import type { Stop } from './lib/stop.ts';
import { isAbort } from './lib/wait.ts';
import { journalFound, whatRemains } from './observe/account.ts';
import { Filling } from './observe/filling.ts';
import { striker } from './observe/logger.ts';
import { watchStats } from './observe/look.ts';
import { watchLoop } from './observe/loop.ts';
import { openMetrics } from './observe/metrics.ts';
import { News } from './observe/news.ts';
import { reportOn } from './observe/report.ts';
import { openServer } from './observe/server.ts';
import { Vitals } from './observe/vitals.ts';
import { keyOf } from './parts/key.ts';
import type { Watch } from './parts/part.ts';
import { type Changed, Parts } from './parts/parts.ts';
import { reconcileAll } from './parts/reconciling.ts';
import { logGaps, reconcileBySchedule, tellRepaired } from './parts/schedule.ts';
import { replay } from './pipeline/replay.ts';
import { progressOf } from './sources/index.ts';

/** What the relay is given from outside besides its config. */
export interface RelayContext {
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Every secret there is, to be struck out of what is shown; default: those of the config. */
  readonly secrets?: readonly Secret[];
  /** Told of what is kept and delivered, for the demo's closing account, and of being ready. */
  readonly watch?: Watch & {
    /** All is open. */
    ready?(running: RunningRelay): void;
    listening?(port: number): void;
  };
}

/** What can be done with a relay that runs. */
export interface RunningRelay {
  /** Resolves when event loop and journal answer (F2). */
  alive(): Promise<void>;
  /**
   * Goes on by another config. What it has in common with the present one goes on untouched.
   *
   * @throws {RelayError} it cannot be done; then nothing has changed
   */
  change(next: Config): Promise<Changed>;
  /** Another config was not taken, for that reason: shown until one is. */
  refuse(reason: string): void;
  /** Sinks open anew what others may have moved away. */
  reopen(): void;
}

/** Wires the relay and runs it until `stop`. To know the program, read this function. */
export async function runRelay(config: Config, context: RelayContext, stop: Stop): Promise<void> {
  const { version, log, now, random, watch } = context;
  const steady = () => performance.now();
  const closers = new Closers();
  try {
    const metrics = openMetrics(version);
    const vitals = new Vitals({ now, steady });
    closers.add('watch on the event loop', watchLoop(log, steady));
    const { maxBytes, retention } = config.state;
    const directory =
      config.state.directory === IN_MEMORY
        ? closers.add('directory in memory', new MemoryDirectory()).path
        : config.state.directory;
    const journal = closers.add(
      'journal',
      await openJournal({ directory, maxBytes, retentionMs: retention, log: log.child({ part: 'journal' }) }),
    );
    const stats = () => journal.stats();
    const strike = striker(context.secrets ?? secretsOf(config));
    const news = new News({ tell: (event) => journal.tell(event), vitals, strike });
    const filling = new Filling(log, (alarm) => news.filling(alarm));
    metrics.journal(stats, filling, now);
    const found = await stats();
    log.info({ directory, ...journal.opening }, journalFound(journal.opening, found));

    // Only a lost journal or a signal ends the relay; all else is started again (F1). Without a journal nothing may
    // be read or sent: what is in flight is abandoned, however long a peer would keep it waiting.
    const lost = new AbortController();
    journal.failed.catch((error: Error) => {
      log.fatal({ reason: error.message }, 'the journal is lost: the relay ends');
      lost.abort(error);
    });
    const soft = AbortSignal.any([stop.soft, lost.signal]);
    const hard = AbortSignal.any([stop.hard, lost.signal]);

    const shared = { version, log, now, steady, random, metrics, vitals, news, journal, watch };
    const parts = closers.add('sources and sinks', new Parts(shared, { soft, hard }));
    await parts.change(config).catch((error: unknown) => {
      // Asked to stop meanwhile: then it ends in good order, below.
      if (!isAbort(error) || !soft.aborted) throw error;
    });
    news.started(version, journal.opening, found);
    closers.add(
      'watch on the journal',
      watchStats(stats, log, {
        often(now) {
          if (now) filling.look(now, steady());
          news.look(now, journal.fault);
        },
        async rarely() {
          await journal.tellCoverage();
          news.cover(await journal.coverage());
        },
      }),
    );
    stop.soft.addEventListener('abort', () => vitals.stop());

    // A disk that is at fault answers, too, and heals by itself; to be started again would not help it.
    const alive = async () => {
      await journal.stats().catch((error) => {
        if (!(error instanceof JournalUnavailableError)) throw error;
      });
    };
    if (config.server.listen !== 'off') {
      const server = await openServer(config.server.listen, {
        contentType: metrics.contentType,
        metrics: metrics.text,
        ...reportOn({ version, directory, vitals, journal, filling, progressOf, strike }),
        alive,
      });
      closers.add('server', server);
      log.info({}, `metrics at ${server.origin}/metrics`);
      watch?.listening?.(server.port);
    }
    const reconcileLog = log.child({ part: 'reconcile' });
    const schedule = {
      settings: () => parts.reconcile,
      comparable: () => parts.comparable(),
      compared(result: Reconciled, atMs: number) {
        vitals.compared(result, atMs);
        metrics.compared(result, atMs);
      },
    };
    const ending = new AbortController();
    const scheduled = reconcileBySchedule(
      { ...schedule, journal, log: reconcileLog, now, random },
      AbortSignal.any([soft, ending.signal]),
    ).catch(() => {
      // Of a lost journal: everybody knows.
    });
    closers.add('schedule of comparisons', {
      async close() {
        ending.abort();
        await scheduled;
      },
    });
    const commands: ControlCommands = {
      ...commandsOn(journal),
      async reconcile(wish, task) {
        const result = await reconcileAll(parts.comparable(), journal, wish, task);
        tellRepaired(journal, result.sources);
        logGaps(reconcileLog, result);
        return result;
      },
      replay(request, task) {
        const { sources } = parts.comparable();
        return replay(request, { journal, sources, isLive: true, steady }, task);
      },
    };
    closers.add(
      'control socket',
      await openControl(directory, commands, log.child({ part: 'control' }), { stop: soft }),
    );

    const refuse = (reason: string) => {
      if (reason !== vitals.refused?.message) news.refusedConfig(reason);
      vitals.config(reason);
      metrics.reloaded(false);
    };
    const change = async (next: Config) => {
      refuseRestart(config, next);
      const changed = await parts.change(next);
      const count = changed.started.length + changed.ended.length;
      // SIGHUP also comes for the sake of a log file.
      if (count > 0 || vitals.refused) news.changedConfig(count);
      vitals.config(undefined);
      metrics.reloaded(true);
      return changed;
    };
    watch?.ready?.({ alive, change, refuse, reopen: () => parts.reopen() });
    await parts.ended();
    lost.signal.throwIfAborted();
    await journal.flush();
    log.info({}, whatRemains(await stats()));
  } catch (error) {
    // What went wrong first is the news, not what it made go wrong in closing.
    await closers
      .close()
      .catch((cause) => log.error({ err: cause }, 'not all could be closed in good order'));
    throw error;
  }
  await closers.close();
}

/** @throws {RelayError} what lives as long as the process would have to change */
function refuseRestart(present: Config, next: Config): void {
  const changed = (['state', 'server'] as const).filter((name) => keyOf(present[name]) !== keyOf(next[name]));
  if (changed.length === 0) return;
  throw new RelayError(`"${changed.join('" and "')}" cannot change while the relay runs: start it again`);
}
