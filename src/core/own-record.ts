import { spellCount, spellDuration } from '../lib/spell.ts';
import { productLabel } from './coverage.ts';
import { type OwnEvent, type OwnField, type OwnFields, ownEvents } from './own-event.ts';
import type { RelayRecord } from './record.ts';

/** What tells itself: the source of these records, as of heartbeats. */
export const OWN_SOURCE = 'defender-relay';

/** Most characters of what others have said. */
const MAX_DETAIL = 200;

/** How a field is called in the body: times stand there as text, and their names without the unit. */
export function bodyName(field: OwnField): string {
  return field.endsWith('Ms') ? field.slice(0, -2) : field;
}

/**
 * The record that tells an event.
 *
 * @param revision another one each time: it tells two events of one thing apart
 * @param atMs when it happened, milliseconds since 1970
 * @param untold events of the kind that were not told before it
 */
export function ownRecord(event: OwnEvent, revision: bigint, atMs: number, untold: number): RelayRecord {
  const { name, severity, about, of, fields, maybe } = ownEvents[event.kind];
  const given: Partial<OwnFields> = { ...event, ...(untold > 0 && { untold }) };
  const order: readonly OwnField[] = [...fields, ...maybe, 'untold'];
  const said = new Map(order.map((field) => [field, spelled(field, given[field])]));
  const which = of.map((field: OwnField) => said.get(field)).filter((each) => each !== undefined);
  const named = Array.from(said, ([field, value]) => [bodyName(field), value] as const);
  return {
    kind: 'relay',
    source: OWN_SOURCE,
    tenant: given.tenant ?? '',
    id: [about, ...which].join(':'),
    revision,
    unrevised: 0,
    outcome: 'new',
    timeMs: atMs,
    createdMs: atMs,
    severity,
    body: { event: event.kind, name, message: sentenceOf(event), ...Object.fromEntries(named) },
  };
}

/** `undefined` is left out of the body; so is a number that is none. */
function spelled(field: OwnField, value: string | number | undefined): string | number | undefined {
  if (value === undefined) return undefined;
  // Whoever found it may have it from outside.
  if (field === 'product') return productLabel(String(value));
  if (typeof value === 'string') return field === 'detail' ? shortened(value) : value;
  if (!field.endsWith('Ms')) return Number.isFinite(value) ? value : undefined;
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

function shortened(detail: string): string {
  const points = Array.from(detail.slice(0, 2 * MAX_DETAIL + 2));
  return points.length > MAX_DETAIL ? `${points.slice(0, MAX_DETAIL - 1).join('')}…` : detail;
}

/** For people; of nothing but names of the config and words of ours. */
function sentenceOf(event: OwnEvent): string {
  switch (event.kind) {
    case 'relay-started':
      return `The relay has started (${event.reason}); ${records(event.count)} waited to be delivered.`;
    case 'config-reloaded':
      return `Another configuration is in use: ${event.count} of its sources and sinks are new or gone.`;
    case 'config-refused':
      return 'The configuration was changed and cannot be used: the relay goes on with the one it had.';
    case 'source-failing':
      return `Nothing can be read from source ${sourceOf(event)} (${event.reason}).`;
    case 'source-healed':
      return `Source ${sourceOf(event)} is read again.`;
    case 'sink-failing':
      return `Nothing can be delivered to sink ${event.sink} (${event.reason}); ${records(event.count)} wait for it.`;
    case 'sink-healed':
      return `Sink ${event.sink} takes records again; ${records(event.count)} wait for it.`;
    case 'dead-letters':
      return event.sink === undefined
        ? `${spellCount(event.count, 'time')} of source ${sourceOf(event)} cannot be read (${event.reason}): dead letters.`
        : `Sink ${event.sink} has refused ${records(event.count)} (${event.reason}): dead letters.`;
    case 'queue-paused':
      return event.reason === 'full'
        ? `The journal is full of what sinks have not taken${event.sink === undefined ? '' : `, sink ${event.sink} above all`}: all sources wait.`
        : 'The journal cannot be written: all sources wait.';
    case 'queue-resumed':
      return 'The journal has room again: the sources go on.';
    case 'journal-filling':
      return `What waits for sink ${event.sink} fills ${event.percent} % of the journal.`;
    case 'gap-found':
      return event.reason === 'let-go'
        ? `The journal was full: ${records(event.count)} were let go of that sink ${event.sink} was to be given.`
        : `Sink ${event.sink} was not given ${records(event.count)}.`;
    case 'gap-repaired':
      return `${records(event.count)} of a gap are on their way to sink ${event.sink}.`;
    case 'credential-expiring':
      return `The credential of tenant ${event.tenant} expires soon.`;
    case 'credential-expired':
      return `The credential of tenant ${event.tenant} has expired.`;
    case 'product-silent':
      return `${event.product} is silent; the longest time between two alerts was ${spellDuration(event.longestSeconds * 1_000)}.`;
    case 'product-speaking':
      return `${event.product} speaks again.`;
    case 'product-coverage':
      return `${event.product}: ${records(event.count)} since this was last told.`;
  }
}

const records = (count: number): string => spellCount(count, 'record');

function sourceOf({ source, tenant }: { source?: string; tenant?: string }): string {
  return tenant === undefined ? `${source}` : `${source} (tenant ${tenant})`;
}
