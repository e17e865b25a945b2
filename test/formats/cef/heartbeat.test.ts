import { describe, expect, it } from 'vitest';
import { aRecord } from '../../support/records.ts';
import { createFormat } from './support.ts';

const format = createFormat({ signatureId: 'title' });
const stamp = { stream: 77, sequence: 4_711, sentMs: 5, maxBytes: 8_000 };
const timeMs = Date.UTC(2025, 2, 4, 10);

const beat = (body: { lastSequence: number; pending: number; oldestPending: string | null }) =>
  format({ ...aRecord({}, { kind: 'heartbeat', timeMs }), body }, stamp);

describe('a heartbeat in CEF', () => {
  it('has ids that are always the same, the last number, and no number of its own', () => {
    expect(beat({ lastSequence: 4_711, pending: 3, oldestPending: '2025-03-04T09:00:00.000Z' })).toEqual([
      `CEF:0|defender-relay|defender-relay|1|heartbeat|Heartbeat|0|rt=${timeMs} dvcpid=77 ` +
        'cn1Label=lastSequence cn1=4711 cn2Label=pending cn2=3 ' +
        `deviceCustomDate1Label=oldestPending deviceCustomDate1=${timeMs - 3_600_000}`,
    ]);
  });

  it('leaves out what there is not', () => {
    expect(beat({ lastSequence: 0, pending: 0, oldestPending: null })).toEqual([
      `CEF:0|defender-relay|defender-relay|1|heartbeat|Heartbeat|0|rt=${timeMs} dvcpid=77 ` +
        'cn1Label=lastSequence cn1=0 cn2Label=pending cn2=0',
    ]);
  });
});
