import type { Fault, JournalStats } from '../core/journal.ts';
import { spellDuration, spellSize } from '../lib/spell.ts';
import type { Failure, Moment, SinkVitals, SourceVitals, Vitals } from './vitals.ts';

/** Why a relay is not ready. */
export interface Problem {
  readonly part: 'relay' | 'source' | 'journal' | 'sink';
  /** Configured name of the source or sink. */
  readonly name?: string;
  readonly tenant?: string;
  /** For people; names the part. */
  readonly message: string;
}

/** A source is late when nothing good came for so many of its intervals (F2). */
const LATE_POLLS = 5;
/** A required sink that has been down for so long is a problem (F2). */
const DOWN_MS = 300_000;

type Watched = Pick<Vitals, 'started' | 'stopping' | 'sources' | 'sinks'>;

/**
 * What keeps the relay from being ready (F2); empty when it is. A relay is not ready before each source has had a
 * good answer; a SIEM that is down is told here after five minutes, and never makes the relay unhealthy.
 *
 * @param stats `undefined`: the journal does not answer
 * @param fault what is wrong with its disk; that all sources pause then is no fault of theirs
 */
export function problemsOf(
  { started, stopping, sources, sinks }: Watched,
  stats: JournalStats | undefined,
  { steadyMs: now }: Moment,
  fault?: Fault,
): Problem[] {
  if (stopping) return [{ part: 'relay', message: 'the relay is stopping' }];
  const faults: Problem[] = fault ? [{ part: 'journal', message: `journal: ${fault.message}` }] : [];
  if (!stats) return fault ? faults : [{ part: 'journal', message: 'journal: it does not answer' }];
  const statsOf = (name: string) => stats.sinks.find((sink) => sink.name === name);
  return [
    // While all sources pause there is nothing wrong with each of them.
    ...faults,
    ...(stats.paused
      ? [journalFull(stats)]
      : fault
        ? []
        : sources.flatMap((source) => late(source, started, now))),
    // Of one that is not required the status tells, and the gap.
    ...sinks
      .filter(({ name }) => statsOf(name)?.required !== false)
      .flatMap((sink) => down(sink, statsOf(sink.name)?.pending ?? 0, now)),
  ];
}

function journalFull({ bytes, limitBytes, sinks }: JournalStats): Problem {
  const [most] = sinks.filter(({ required }) => required !== false).toSorted((a, b) => b.pending - a.pending);
  const whose = most ? `; most of it waits for sink ${most.name}` : '';
  const full = `journal: full (${spellSize(bytes)} of ${spellSize(limitBytes)}), all sources pause${whose}`;
  return { part: 'journal', message: full };
}

function late(source: SourceVitals, started: Moment, now: number): Problem[] {
  const { name, tenant, good, failure } = source;
  const problem = (message: string): Problem[] => {
    const who = `source ${name} (tenant ${tenant})`;
    return [{ part: 'source', name, tenant, message: `${who}: ${message}${because(failure, good)}` }];
  };
  if (!good) return problem(`nothing read since the start ${spellDuration(now - started.steadyMs)} ago`);
  return isLate(source, good, now) ? problem(`nothing read for ${spellDuration(now - good.steadyMs)}`) : [];
}

/** @param good when something good came from the source last */
export function isLate({ everyMs }: Pick<SourceVitals, 'everyMs'>, good: Moment, now: number): boolean {
  return now - good.steadyMs > LATE_POLLS * everyMs;
}

function down(sink: SinkVitals, pending: number, now: number): Problem[] {
  const { name, failure } = sink;
  const downMs = now - downSince(sink, pending);
  if (downMs <= DOWN_MS) return [];
  const message = `sink ${name}: down for ${spellDuration(downMs)}${because(failure, undefined)}`;
  return [{ part: 'sink', name, message }];
}

/**
 * Since when a sink is down, by the steady clock; infinite: it is not.
 *
 * @param pending what waits for it: one that is connected, and has nothing to do, is not down
 */
export function downSince(
  { connected, changed, failingSince }: Pick<SinkVitals, 'connected' | 'changed' | 'failingSince'>,
  pending: number,
): number {
  const failing = failingSince && (!connected || pending > 0) ? [failingSince.steadyMs] : [];
  return Math.min(...failing, ...(connected ? [] : [changed.steadyMs]));
}

/** The last failure, unless something good came after it. */
function because(failure: Failure | undefined, good: Moment | undefined): string {
  if (!failure || (good && good.steadyMs > failure.steadyMs)) return '';
  return `: ${failure.message}`;
}
