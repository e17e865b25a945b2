import type { JournalOpening, JournalStats, Position } from '../core/journal.ts';
import type { Source } from '../core/source.ts';
import { spellCount } from '../lib/spell.ts';

/*
 * The first log lines say what state was found and from where each part goes on, the last one what is left (D16).
 */

export function journalFound(opening: JournalOpening, { records, bytes, limitBytes }: JournalStats): string {
  if (opening.created) return 'no journal is here: a first start is assumed, with a new one';
  const percent = Math.round((100 * bytes) / limitBytes);
  const end = opening.clean ? '' : ' after a sudden end';
  return `journal opened${end}: ${spellCount(records, 'record')}, ${percent}% of its room taken`;
}

export function sourceBegins(source: Pick<Source, 'describe'>, checkpoint: string | undefined): string {
  try {
    const place = source.describe?.(checkpoint);
    if (place !== undefined) return place;
  } catch {
    // The first reading tells what is wrong with it.
  }
  return checkpoint === undefined ? 'reads for the first time' : 'goes on from its checkpoint';
}

/** @param before the journal before its sinks were registered, @param after afterwards */
export function sinkBegins(
  name: string,
  { cursor, sequence }: Position,
  before: JournalStats,
  after: JournalStats,
): string {
  const { pending: waiting = 0, gaps } = after.sinks.find((sink) => sink.name === name) ?? {};
  const missed = gaps ? `; it was not given at most ${spellCount(gaps.records, 'record')} before` : '';
  // One that comes back to the config is not among the sinks before; its events have had numbers already.
  if (pendingOf(before, name) === undefined && sequence === 0) {
    return waiting === 0
      ? 'new: starts at the end of the journal'
      : `new: starts at the beginning of the journal; ${wait(waiting)} for it`;
  }
  return waiting === 0
    ? `goes on at the end of the journal; nothing waits for it${missed}`
    : `goes on at batch ${cursor.batch}, record ${cursor.index + 1}; ${wait(waiting)} for it${missed}`;
}

export function whatRemains({ sinks }: JournalStats): string {
  const waiting = sinks.filter(({ pending }) => pending > 0);
  if (waiting.length === 0) return 'nothing is waiting: all that was read has been delivered';
  const each = waiting.map(({ name, pending }) => `${wait(pending)} for ${name}`);
  return `${each.join(', ')}; delivery goes on at the next start`;
}

const pendingOf = ({ sinks }: JournalStats, name: string) =>
  sinks.find((sink) => sink.name === name)?.pending;

const wait = (records: number) => `${spellCount(records, 'record')} wait${records === 1 ? 's' : ''}`;
