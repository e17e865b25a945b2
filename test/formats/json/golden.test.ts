import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ownExamples } from '../../../src/core/own-examples.ts';
import { ownRecord } from '../../../src/core/own-record.ts';
import type { Json } from '../../../src/core/record.ts';
import { parseJson } from '../../../src/lib/json.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, formatJson } from './support.ts';

const golden = new URL('../../golden/json/', import.meta.url);
const graph = new URL('../../fixtures/graph/', import.meta.url);
const alerts = readdirSync(graph).filter((name) => name.endsWith('.json') && !name.endsWith('.list.json'));

describe('JSON', () => {
  it.each(alerts)('%s', async (name) => {
    const body = parseJson(readFileSync(new URL(name, graph), 'utf8')) as Record<string, Json>;
    // Small enough for some of them to go on in further events.
    const events = formatJson(aRecord(body), aStamp({ maxBytes: 4000 }));
    const file = new URL(name.replace('.json', '.ndjson'), golden);
    await expect(`${events.join('\n')}\n`).toMatchFileSnapshot(file.pathname);
  });

  it('the events of the relay itself', async () => {
    const nowMs = Date.UTC(2026, 10, 28, 9);
    const records = ownExamples(nowMs).map((event) => ownRecord(event, 639_160_000_000_000_000n, nowMs, 0));
    const events = records.flatMap((record) => formatJson(record, aStamp()));
    const file = new URL('own-events.ndjson', golden);
    await expect(`${events.join('\n')}\n`).toMatchFileSnapshot(file.pathname);
  });
});
