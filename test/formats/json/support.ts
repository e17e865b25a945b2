import type { Stamp } from '../../../src/core/format.ts';
import type { RelayRecord } from '../../../src/core/record.ts';
import { json } from '../../../src/formats/json/index.ts';

export const formatJson = json.create(json.schema.parse({ type: 'json' }), { version: '0.0.0' });

export function aStamp(overrides: Partial<Stamp> = {}): Stamp {
  return { stream: 1_402_937_551, sequence: 4711, sentMs: 1_741_083_700_000, maxBytes: 8000, ...overrides };
}

/** An event as a receiver sees it. */
export interface JsonEvent {
  readonly eventId: string;
  readonly part: number;
  readonly parts: number;
  readonly stream: number;
  readonly sequence?: number;
  readonly shortened?: readonly { readonly field: string; readonly bytes: number }[];
  readonly body: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export function eventsOf(record: RelayRecord, stamp = aStamp()): JsonEvent[] {
  return formatJson(record, stamp).map((event) => JSON.parse(event) as JsonEvent);
}
