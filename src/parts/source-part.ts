import type { SourceConfig } from '../config/schema.ts';
import type { Appended } from '../core/journal.ts';
import { buildPlugin } from '../core/plugin.ts';
import type { Page } from '../core/source.ts';
import type { Stop } from '../lib/stop.ts';
import { orAbort } from '../lib/wait.ts';
import { attended } from '../net/attended.ts';
import { sourceBegins } from '../observe/account.ts';
import { sourceObserver } from '../observe/observers.ts';
import { type IngestOptions, ingest } from '../pipeline/ingest.ts';
import { restarted } from '../pipeline/restarted.ts';
import { Activity, unlessStalled } from '../pipeline/stall.ts';
import { progressOf, sources } from '../sources/index.ts';
import type { Graphs, Part, PartContext } from './part.ts';

/** Pause after a reading that failed for another reason than those a source waits out itself. */
const BACKOFF = { initialMs: 1_000, maxMs: 60_000 };

/** A source is started again that is silent, with no reason to be, for so many polls, and so long (G25). */
const STALL_POLLS = 10;
const STALL_MS = 600_000;

export interface SourcePart extends Part {
  /** Works until it is asked to stop; ends before that only with what ends the relay (F1). */
  run(stop: Stop): Promise<void>;
}

/** Source → journal, again and again. */
export function sourcePart(
  settings: SourceConfig,
  comparedMs: number,
  graphs: Graphs,
  context: PartContext,
): SourcePart {
  const { now, steady, random, metrics, vitals, news, journal, watch } = context;
  const { name, tenant, type, every: everyMs, updates } = settings;
  const log = context.log.child({ source: name, tenant });
  const activity = new Activity(steady);
  const observe = () => {
    const vital = vitals.source({ name, tenant, type, everyMs });
    return { vital, ...sourceObserver(metrics.source(name, tenant, now), vital) };
  };
  let seen: ReturnType<typeof observe> | undefined;
  const graph = (which: string) =>
    attended(graphs.get(which)!, {
      answered: () => activity.note(),
      waits(error, waitMs) {
        activity.note(waitMs);
        seen?.waits(error);
      },
    });
  const miscounted = () => seen?.miscounted();
  const source = buildPlugin(sources, settings, {
    name,
    log,
    now,
    steady,
    miscounted,
    graph,
    comparedMs,
  });
  const kept: IngestOptions['journal'] = {
    checkpoint: (key) => activity.during(journal.checkpoint(key)),
    append: (page) => journal.append(page),
    room: (signal) => activity.during(journal.room(signal)),
  };
  const limitMs = Math.max(STALL_POLLS * everyMs, STALL_MS);

  return {
    async run({ soft: signal }) {
      const { vital, ...observer } = observe();
      seen = { vital, ...observer };
      vital.is(source);
      const found = await orAbort(journal.checkpoint({ source: name, tenant }), signal);
      log.info({}, sourceBegins(source, found));
      const covered = (await journal.coverage()).filter(
        (each) => each.source === name && each.tenant === tenant,
      );
      observer.begins(found === undefined ? undefined : progressOf(type, found)?.watermarkMs, covered);
      const options: IngestOptions = {
        name,
        source,
        journal: kept,
        everyMs,
        updates,
        observer: {
          read: observer.read,
          kept(page: Page, appended: Appended) {
            observer.kept(page, appended);
            news.unread({ source: name, tenant }, page);
            activity.note();
            watch?.kept?.(appended);
          },
        },
      };
      const task = (healthy: () => void) =>
        unlessStalled((given) => ingest(options, given, healthy), { activity, limitMs, signal });
      const { failed, healthy } = observer;
      await restarted(task, { log, backoff: BACKOFF, now, random, signal, failed, healthy });
    },
    async forget() {
      vitals.forgetSource(name, tenant);
      await metrics.forget({ source: name, tenant });
    },
    close: () => source.close(),
  };
}
