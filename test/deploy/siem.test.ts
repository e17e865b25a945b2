import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Format } from '../../src/core/format.ts';
import { ownEventIds } from '../../src/core/own-event.ts';
import { ownExamples } from '../../src/core/own-examples.ts';
import { ownRecord } from '../../src/core/own-record.ts';
import { heartbeat } from '../../src/pipeline/heartbeat.ts';
import { formatCef } from '../formats/cef/support.ts';
import { formatJson } from '../formats/json/support.ts';
import { aRecord } from '../support/records.ts';

const folder = join(import.meta.dirname, '../../deploy/siem');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\.\w+$/.test(file),
);

const stamp = { stream: 77, sequence: 4_711, sentMs: 5, maxBytes: 8_000 };
/** An alert whose author would like to be taken for the relay. */
const forged = aRecord({
  title: 'a cn3Label=sequence cn3=9 dvcpid=9 |heartbeat|',
  description:
    'CEF:0|defender-relay|defender-relay|1|heartbeat|Heartbeat|0|dvcpid=9 cn3Label=sequence cn3=9 cn1Label=lastSequence cn1=9',
  evidence: [],
  note: '"kind":"heartbeat","stream":9,"sequence":9,"lastSequence":9',
});
const beat = heartbeat({ pending: 0, oldestPendingMs: undefined }, 4_710, 1_000);
const own = ownExamples(1_000_000_000_000).map((event) => ownRecord(event, 1n, 1_000, 0));
const lines = (format: Format, header = '') => ({
  forged: header + format(forged, stamp)[0],
  beat: header + format(beat, stamp)[0],
  own: own.map((record) => header + format(record, stamp)[0]),
});
const cef = lines(formatCef, '<134>1 2026-11-28T09:00:00Z relay defender-relay 77 - - ');
const json = lines(formatJson);

/** What the search takes out of an event: the expressions of the macro, one after the other. */
function splunkFields(event: string): Record<string, string> {
  const expressions = [...read('splunk/macros.conf').matchAll(/rex field=_raw "((?:[^"\\]|\\.)*)"/g)];
  expect(expressions).toHaveLength(8);
  const found = expressions.map(([, text = '']) => new RegExp(text.replaceAll('\\"', '"')).exec(event));
  return Object.assign({}, ...found.map((match) => match?.groups ?? {}));
}

/** The expressions of the table in the page for QRadar. */
const qradar: Record<string, RegExp> = Object.fromEntries(
  [...read('qradar/README.md').matchAll(/^ *\| `(Relay [\w ]+)` \| \w+ \| `(.+)` \|$/gm)].map(
    ([, name, text = '']) => [name, new RegExp(text.replaceAll('[^\\|]', '[^|]'))],
  ),
);

describe('the rules for the SIEM', () => {
  it('Splunk: take stream, number and class out of CEF, and nothing that was forged', () => {
    expect(splunkFields(cef.forged)).toEqual({ cef_stream: '77', cef_number: '4711' });
    expect(splunkFields(cef.beat)).toEqual({ cef_class: 'heartbeat', cef_stream: '77', cef_last: '4710' });
    for (const [index, id] of ownEventIds.entries())
      expect(splunkFields(cef.own[index]!)).toEqual({ cef_class: id, cef_stream: '77', cef_number: '4711' });
  });

  it('Splunk: the same out of JSON', () => {
    expect(splunkFields(json.forged)).toEqual({ json_kind: 'alert', json_stream: '77', json_number: '4711' });
    expect(splunkFields(json.beat)).toEqual({ json_kind: 'heartbeat', json_stream: '77', json_last: '4710' });
    for (const [index, id] of ownEventIds.entries())
      expect(splunkFields(json.own[index]!)).toMatchObject({ json_kind: 'relay', json_event: id });
  });

  it('QRadar: take stream, number and class out of CEF, and nothing that was forged', () => {
    const take = (event: string) =>
      Object.entries(qradar).map(([name, expression]) => [name, expression.exec(event)?.[1]]);
    const fields = (event: string) =>
      Object.fromEntries(take(event).filter(([, value]) => value !== undefined));
    expect(Object.keys(qradar)).toHaveLength(4);
    expect(fields(cef.forged)).toEqual({ 'Relay Stream': '77', 'Relay Number': '4711' });
    expect(fields(cef.beat)).toEqual({
      'Relay Class': 'heartbeat',
      'Relay Stream': '77',
      'Relay Last Number': '4710',
    });
    for (const [index, id] of ownEventIds.entries())
      expect(fields(cef.own[index]!)).toEqual({
        'Relay Class': id,
        'Relay Stream': '77',
        'Relay Number': '4711',
      });
  });

  it.each(files.filter((file) => file.endsWith('.yaml')))('Sentinel: %s is a scheduled rule', (file) => {
    const rule = parse(read(file)) as Record<string, unknown>;
    expect(rule).toMatchObject({ kind: 'Scheduled', triggerOperator: 'gt', triggerThreshold: 0 });
    expect(rule.id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect([rule.queryFrequency, rule.queryPeriod].every((time) => /^\d+[mhd]$/.test(String(time)))).toBe(
      true,
    );
    expect(rule.query).toContain('CommonSecurityLog');
  });

  it.each(files)('%s: names no id that does not exist', (file) => {
    const named = [
      ...read(file).matchAll(/(?:class|ClassId|ClassID|Relay Class"?) ?==? ?["']?([a-z]+(?:-[a-z]+)*)\b/g),
    ]
      .map(([, id]) => id!)
      .filter((id) => id !== 'activelist' && id !== 'coalesce');
    const known: readonly string[] = [...ownEventIds, 'heartbeat'];
    expect(named.filter((id) => !known.includes(id))).toEqual([]);
  });
});
