import { hash } from 'node:crypto';
import type { SourceRecord } from '../../core/record.ts';
import { msOfTicks, ticksOf } from '../../core/ticks.ts';
import { type JsonText, stringifyJson } from '../../lib/json.ts';
import { stateOf } from './state.ts';

/**
 * An alert of Graph as a record. Every property of the published schema may be null or absent and every value may
 * be new, so nothing is asked of the body but to be an object:
 *
 * - without a readable `lastUpdateDateTime` the revision is `createdDateTime`, and without that 0. A record of
 *   revision 0 lies before every floor, so it may be told at each reading that Graph gives it in; Graph cannot
 *   give it in answer to our filter.
 * - without an id it gets one made of the body: it is told, and told again when anything in it changes.
 *
 * @param given the row as it came; left out: it is written anew
 * @returns `undefined` for what is not an alert at all (not an object)
 */
export function alertRecord(row: unknown, given?: JsonText): SourceRecord | undefined {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return undefined;
  const alert = row as Readonly<Record<string, unknown>>;
  const json = given ?? Buffer.from(stringifyJson(alert));
  const created = timeOf(alert.createdDateTime);
  const updated = timeOf(alert.lastUpdateDateTime) ?? created ?? 0n;
  return {
    kind: 'alert',
    id: typeof alert.id === 'string' && alert.id !== '' ? alert.id : `no-id-${shortHash(json)}`,
    revision: updated,
    created,
    timeMs: msOfTicks(updated),
    severity: typeof alert.severity === 'string' ? alert.severity : 'unknown',
    product: typeof alert.serviceSource === 'string' ? alert.serviceSource : '',
    fingerprint: fingerprint(json, alert.evidence),
    state: stateOf(alert),
    json,
  };
}

/** .NET's empty date, the first moment of the year 1, is none. */
const timeOf = (text: unknown): bigint | undefined => ticksOf(text) || undefined;

const shortHash = (text: JsonText): string => hash('sha256', text).slice(0, 32);

const MOST_EVIDENCE = 2 ** 16;

/** Length and number of evidence in one number (R1): late evidence under the same revision changes both. */
function fingerprint(json: JsonText, evidence: unknown): number {
  const count = Array.isArray(evidence) ? evidence.length : 0;
  return json.length * MOST_EVIDENCE + Math.min(count, MOST_EVIDENCE - 1);
}
