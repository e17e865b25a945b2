import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownEventIds, ownEvents } from '../../../src/core/own-event.ts';
import { ownExamples } from '../../../src/core/own-examples.ts';
import { ownRecord } from '../../../src/core/own-record.ts';
import type { Json } from '../../../src/core/record.ts';
import { outcomes } from '../../../src/core/record.ts';
import { ownPlaces } from '../../../src/formats/cef/own.ts';
import { parseJson, stringifyJson } from '../../../src/lib/json.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, createFormat, formatCef, parseCef } from './support.ts';

const nowMs = Date.UTC(2026, 10, 28, 9);
/** As the journal gives them back. */
const examples = ownExamples(nowMs).map((event, index) => {
  const record = ownRecord(event, BigInt(index), nowMs, 0);
  return { ...record, body: parseJson(stringifyJson(record.body)) as Record<string, Json> };
});

describe('the events of the relay itself in CEF', () => {
  it('are these', async () => {
    const lines = examples.flatMap((record) => formatCef(record, aStamp()));
    const file = new URL('../../golden/cef/own-events.cef', import.meta.url);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(file.pathname);
  });

  it.each(examples)('has all fields of $body.event, under ids that are always the same', (record) => {
    const [line = '', ...more] = formatCef(record, aStamp());
    expect(more).toEqual([]);
    const { header, extension } = parseCef(line);
    const { event } = record.body;
    const kind = ownEvents[event as keyof typeof ownEvents];
    expect(header).toMatchObject({ vendor: 'defender-relay', product: 'defender-relay', classId: event });
    expect(header.name).toBe(kind.name);
    for (const field of kind.fields) expect(extension.has(ownPlaces[field].key)).toBe(true);
    expect(extension.get('msg')).toBe(record.body.message);
    expect([extension.get('dvcpid'), extension.get('cn3')]).toEqual(['1402937551', '4711']);
  });

  it('shares no key among the fields of one event', () => {
    for (const id of ownEventIds) {
      const all = [...ownEvents[id].fields, ...ownEvents[id].maybe, 'untold'] as const;
      const keys = all.map((field) => ownPlaces[field].key);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it('is as severe as an alert of that severity', () => {
    const format = createFormat({
      severity: { unknown: 1, informational: 0, low: 2, medium: 4, high: 7, critical: 9 },
    });
    const severities = examples.map((record) => parseCef(format(record, aStamp())[0]!).header.severity);
    expect(new Set(severities)).toEqual(new Set(['0', '4', '7']));
  });

  it('is always one line that parses, whatever the body says, within the budget', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 });
    const bodies = fc.dictionary(
      fc.constantFrom('event', 'name', 'message', 'detail', 'sink', 'since', 'count', 'reason', 'lastSeen'),
      fc.oneof(text, fc.jsonValue() as fc.Arbitrary<Json>, fc.constant('| = \\ \n a=b')),
    );
    fc.assert(
      fc.property(
        bodies,
        text,
        fc.constantFrom(...outcomes),
        fc.nat(3_000),
        (body, id, outcome, maxBytes) => {
          const record = { ...aRecord({}, { kind: 'relay', id: `x${id}`, outcome }), body };
          const lines = formatCef(record, aStamp({ maxBytes }));
          expect(lines).toHaveLength(1);
          parseCef(lines[0]!);
          expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(Math.max(1_024, maxBytes));
        },
      ),
      { numRuns: 60, examples: [[{ count: '\u0000' }, '', 'new', 0]] },
    );
  });
});
