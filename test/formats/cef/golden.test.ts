import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Json, RelayRecord } from '../../../src/core/record.ts';
import { parseJson } from '../../../src/lib/json.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, formatCef } from './support.ts';

const golden = new URL('../../golden/cef/', import.meta.url);
const graph = new URL('../../fixtures/graph/', import.meta.url);

const read = (name: string, folder: URL) => readFileSync(new URL(name, folder), 'utf8');
const cases = readdirSync(golden).filter((name) => name.endsWith('.record.json'));
const alerts = readdirSync(graph).filter((name) => name.endsWith('.json') && !name.endsWith('.list.json'));

/** The mapping's worked examples leave these out. */
const OMITTED = / (?:outcome|deviceFacility|dvcpid|devicePayloadId)=\S+| cn3Label=sequence cn3=\d+/g;

describe('CEF profile defender', () => {
  it.each(cases)('%s', async (name) => {
    const record = parseJson(read(name, golden)) as RelayRecord;
    // A revision that fits a double is read as a number.
    const events = formatCef({ ...record, revision: BigInt(record.revision) }, aStamp());
    const file = new URL(name.replace('.record.json', '.cef'), golden);
    await expect(`${events.join('\n')}\n`).toMatchFileSnapshot(file.pathname);
  });

  it.each(['worked-a', 'worked-b', 'worked-c'])('gives the line of the mapping for %s', (name) => {
    const record = parseJson(read(`${name}.record.json`, golden)) as RelayRecord;
    const [event = ''] = formatCef(record, aStamp());
    expect(event.replace(OMITTED, '')).toBe(read(`${name}.mapping.cef`, golden).trimEnd());
  });

  it.each(alerts)('%s', async (name) => {
    const body = parseJson(read(name, graph)) as Record<string, Json>;
    const file = new URL(name.replace('.json', '.cef'), golden);
    await expect(`${formatCef(aRecord(body), aStamp()).join('\n')}\n`).toMatchFileSnapshot(file.pathname);
  });
});
