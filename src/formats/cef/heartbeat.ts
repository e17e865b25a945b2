import type { Stamp } from '../../core/format.ts';
import type { RelayRecord } from '../../core/record.ts';
import { MAPPING_VERSION } from './parts.ts';

/**
 * A heartbeat of the relay: no running number of its own (`cn3`), but the last one before it, and what waits. All of it
 * is ours, so nothing needs an escape, and it is small.
 */
export function heartbeatLine({ timeMs, body }: RelayRecord, { stream }: Stamp): string {
  const oldest = typeof body.oldestPending === 'string' ? Date.parse(body.oldestPending) : Number.NaN;
  const fields = [
    `rt=${timeMs}`,
    `dvcpid=${stream}`,
    `cn1Label=lastSequence cn1=${Number(body.lastSequence)}`,
    `cn2Label=pending cn2=${Number(body.pending)}`,
    ...(Number.isNaN(oldest) ? [] : [`deviceCustomDate1Label=oldestPending deviceCustomDate1=${oldest}`]),
  ];
  return `CEF:0|defender-relay|defender-relay|${MAPPING_VERSION}|heartbeat|Heartbeat|0|${fields.join(' ')}`;
}
