import type { SourceRecord } from '../core/record.ts';
import { shared } from '../lib/shared.ts';

/**
 * Records with their texts in memory that both threads see. As strings they would be copied three times on their way, into
 * new memory each time, which costs more than all that is done with them.
 */
export function packed(records: readonly SourceRecord[]): SourceRecord[] {
  return records.map((record) => {
    const { json } = record;
    if (typeof json !== 'string' && json.buffer instanceof SharedArrayBuffer) return record;
    return { ...record, json: shared(typeof json === 'string' ? Buffer.from(json) : json) };
  });
}
