import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stateFields } from '../../../src/core/changes.ts';
import { type Json, type JsonObject, outcomes } from '../../../src/core/record.ts';
import { parseJson } from '../../../src/lib/json.ts';
import { anAlert, aRecord } from '../../support/records.ts';
import { aStamp, eventsOf, formatJson } from './support.ts';

const users = (count: number): Json[] =>
  Array.from({ length: count }, (_, index) => ({
    '@odata.type': '#microsoft.graph.security.userEvidence',
    userAccount: { userPrincipalName: `user-${index}@contoso.com` },
  }));

const sizes = (events: readonly string[]) => events.map((event) => Buffer.byteLength(event));

describe('a record in JSON', () => {
  it('stands as Microsoft sent it in an envelope that says what it is', () => {
    const record = aRecord({ evidence: users(2) }, { outcome: 'update', unrevised: 1 });
    expect(eventsOf(record)).toEqual([
      {
        eventId: 'contoso/alerts/da637551227677560813_-961444813/2025-03-04T10:20:01.3266667Z/1/1',
        kind: 'alert',
        source: 'alerts',
        tenant: 'contoso',
        id: 'da637551227677560813_-961444813',
        revision: '2025-03-04T10:20:01.3266667Z',
        unrevised: 1,
        outcome: 'update',
        time: '2025-03-04T10:20:01.326Z',
        severity: 'high',
        stream: 1_402_937_551,
        sequence: 4711,
        part: 1,
        parts: 1,
        body: anAlert({ evidence: users(2) }),
      },
    ]);
  });

  it('says what has changed, where that is known and not too large', () => {
    const changed = [{ field: 'status', from: 'new', to: 'resolved' } as const];
    expect(eventsOf(aRecord({}, { outcome: 'update', changed }))).toMatchObject([{ changed }]);
    const long = [{ field: 'assignedTo', from: '', to: 'x'.repeat(128) } as const];
    const [event] = eventsOf(aRecord({}, { outcome: 'update', changed: long }), aStamp({ maxBytes: 1024 }));
    expect(event).not.toHaveProperty('changed');
    expect(event?.shortened).toContainEqual({ field: 'changed', bytes: expect.any(Number) });
  });

  it('keeps numbers that a double cannot hold', () => {
    const body = parseJson('{"fileSize":12345678901234567890}') as Record<string, Json>;
    expect(formatJson(aRecord(body), aStamp())[0]).toContain('"fileSize":12345678901234567890');
  });

  it('has no line break, and nothing that a strict reader refuses', () => {
    const title = 'a\nb\u2028c\u2029d\u0085e\ud800f\\ud800\\g😀';
    const [event = ''] = formatJson(aRecord({ title }), aStamp());
    expect(event).not.toMatch(/[\n\r\u0085\u2028\u2029]|[^\\]\\ud800/);
    expect(JSON.parse(event).body.title).toBe(title.replace('\ud800', '\ufffd'));
  });

  it('S7: of a heartbeat tells the last number, and takes none itself', () => {
    const body = { lastSequence: 4710, pending: 3, oldestPending: null };
    const record = {
      ...aRecord({}, { kind: 'heartbeat', tenant: '', source: 'defender-relay', id: 'heartbeat' }),
      body,
    };
    const [event] = eventsOf(record);
    expect(event).toMatchObject({ kind: 'heartbeat', stream: 1_402_937_551, part: 1, parts: 1, body });
    expect(event).not.toHaveProperty('sequence');
  });
});

describe('a record that is too large for one event', () => {
  const record = aRecord({ evidence: users(500) });
  const lines = formatJson(record, aStamp({ sequence: 100, maxBytes: 4096 }));
  const events = lines.map((line) => JSON.parse(line));

  it('S7: goes on in further events, none too large, and loses nothing', () => {
    expect(lines.length).toBeGreaterThan(3);
    expect(Math.max(...sizes(lines))).toBeLessThanOrEqual(4096);
    expect(events.flatMap(({ body }) => body.evidence)).toEqual(users(500));
  });

  it('says all other fields in each, and numbers the parts', () => {
    const { evidence, ...others } = anAlert();
    for (const [index, event] of events.entries()) {
      expect(event).toMatchObject({ part: index + 1, parts: events.length, sequence: 100 + index });
      expect(event.eventId).toMatch(new RegExp(`/0/${index + 1}$`));
      expect(event).not.toHaveProperty('shortened');
      expect({ ...event.body, evidence }).toEqual({ ...others, evidence });
    }
  });

  it('spreads other long fields too, rather than to cut them', () => {
    const comments = Array.from({ length: 50 }, (_, index) => ({ comment: `${index} ${'c'.repeat(100)}` }));
    const body = { comments, description: 'd'.repeat(2000), evidence: users(30) };
    const all = eventsOf(aRecord(body), aStamp({ maxBytes: 4096 }));
    expect(all.flatMap(({ body }) => body.comments ?? [])).toEqual(comments);
    expect(all.flatMap(({ body }) => body.evidence ?? [])).toEqual(users(30));
    expect(all.filter(({ body }) => body.description === 'd'.repeat(2000))).toHaveLength(1);
    for (const { body, shortened } of all) {
      expect(body).toMatchObject({ id: record.id, alertWebUrl: anAlert().alertWebUrl, status: 'new' });
      expect(shortened).toBeUndefined();
    }
  });

  it('shortens only what is too large by itself, and says what and how large it was', () => {
    const processCommandLine = 'é'.repeat(5000);
    const item = {
      '@odata.type': '#microsoft.graph.security.processEvidence',
      processId: 7,
      processCommandLine,
    };
    const body = { description: 'd'.repeat(9000), evidence: [...users(1), item] };
    const all = eventsOf(aRecord(body), aStamp({ maxBytes: 4096 }));
    expect(all.flatMap(({ shortened = [] }) => shortened)).toEqual([
      { field: 'description', bytes: 9002 },
      { field: 'evidence.1', bytes: Buffer.byteLength(JSON.stringify(item)) },
    ]);
    const [cut] = all.flatMap(({ body }) => (body.evidence as (typeof item)[]) ?? []).slice(1);
    expect(cut).toMatchObject({ '@odata.type': item['@odata.type'], processId: 7 });
    expect(cut?.processCommandLine).toMatch(/^é{500,}…$/);
    expect(all.map(({ body }) => body.description ?? '').join('')).toMatch(/^d{2000,}…$/);
    for (const { body } of all) expect(body.alertWebUrl).toBe(anAlert().alertWebUrl);
  });
});

const nasty = fc.oneof(
  fc
    .array(
      fc.constantFrom(
        '\\',
        '"',
        '\n',
        '\0',
        '\ud83d',
        '\udc00',
        '\u2028',
        '😀',
        'é',
        'a',
        '/',
        '%',
        ',"body":{',
      ),
      { maxLength: 12 },
    )
    .map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .tuple(fc.constantFrom('x', '\\', '\u2028', '\ud800', '😀'), fc.constantFrom(10, 300, 3000))
    .map(([unit, times]) => unit.repeat(times)),
);
const key = fc.oneof(
  fc.constantFrom('id', 'title', 'evidence', 'alertWebUrl', 'comments', '__proto__', 'toJSON'),
  nasty,
);

const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    nasty,
    fc.constantFrom<Json>(null, true, 1.5, -0, 12345678901234567890n),
    fc.array(tie('json'), { maxLength: 6 }),
    fc
      .array(fc.tuple(key, tie('json')), { maxLength: 6 })
      .map((entries) => Object.fromEntries(entries) as JsonObject),
  ),
}));

const anyRecord = fc
  .record({
    body: fc.oneof(
      fc
        .array(fc.tuple(key, json), { maxLength: 8 })
        .map((entries) => Object.fromEntries(entries) as JsonObject),
      json as fc.Arbitrary<JsonObject>,
    ),
    id: nasty,
    tenant: nasty,
    source: nasty,
    severity: nasty,
    outcome: fc.constantFrom(...outcomes),
    revision: fc.bigInt({ min: -1n, max: 3_155_378_975_999_999_999n }),
    unrevised: fc.nat({ max: 3 }),
    changed: fc.array(fc.record({ field: fc.constantFrom(...stateFields), from: nasty, to: nasty }), {
      maxLength: 8,
    }),
    timeMs: fc.oneof(fc.constant(Number.NaN), fc.integer({ min: -1e14, max: 2.5e14 })),
  })
  .map((fields) => aRecord({}, fields));

describe('any record', { timeout: 180_000 }, () => {
  it('S8: gives events within the budget, whose number does not depend on the stamp', () => {
    fc.assert(
      fc.property(
        anyRecord,
        fc.oneof(fc.constant(1024), fc.integer({ min: 1024, max: 9000 })),
        (record, maxBytes) => {
          const large = { stream: 2 ** 31 - 1, sequence: 2 ** 53 - 1e6, sentMs: 8.64e15, maxBytes };
          const lines = formatJson(record, large);
          const ids = new Set<string>();
          lines.forEach((line, index) => {
            if (Buffer.byteLength(line) > maxBytes) throw new Error(`${Buffer.byteLength(line)} bytes`);
            if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(line))
              throw new Error('a character that may split the line');
            const event = JSON.parse(line);
            ids.add(event.eventId);
            expect(event).toMatchObject({
              part: index + 1,
              parts: lines.length,
              sequence: large.sequence + index,
            });
          });
          expect(ids.size).toBe(lines.length);
          const again = formatJson(record, { stream: 1, sequence: 1, sentMs: 1, maxBytes });
          if (again.length !== lines.length || again.length === 0) throw new Error(`${again.length} parts`);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('S8: loses nothing when nothing is too large by itself', () => {
    const some = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.array(fc.string({ maxLength: 100 }), { maxLength: 40 }),
    );
    fc.assert(
      fc.property(some, fc.integer({ min: 1024, max: 4000 }), (body, maxBytes) => {
        const events = eventsOf(aRecord({}, { body }), aStamp({ maxBytes }));
        const isInAll = (name: string) => events.every(({ body }) => Object.hasOwn(body, name));
        for (const [name, items] of Object.entries(body)) {
          const found = events.flatMap(({ body }) => (body[name] as string[] | undefined) ?? []);
          // A field stands in each event, or is spread over them.
          const whole = isInAll(name) && found.length === events.length * items.length;
          expect(whole ? found.slice(0, items.length) : found).toEqual(items);
          for (const event of events) expect(event.shortened).toBeUndefined();
        }
      }),
      { numRuns: 100 },
    );
  });

  it.each<[string, Json]>([
    ['null', null],
    ['an array', [[[]]]],
    ['a text', 'alert'],
    ['evidence that is an object', { evidence: { 0: 'a' } }],
    ['prototype keys', parseJson('{"__proto__":{"title":"a"},"evidence":[{"__proto__":1}]}') as Json],
    ['10,000 levels', nested(10_000)],
    [
      '100,000 pieces of evidence',
      { evidence: Array.from({ length: 100_000 }, (_, id) => ({ name: `${id}` })) },
    ],
    ['100,000 fields', Object.fromEntries(Array.from({ length: 100_000 }, (_, id) => [`field-${id}`, id]))],
    ['texts of a megabyte', { title: 'x'.repeat(1e6), id: '\\'.repeat(1e6), evidence: ['😀'.repeat(5e5)] }],
  ])('S8: gives events within the budget when its body is %s', (_, body) => {
    for (const line of formatJson(aRecord({}, { body: body as JsonObject }), aStamp())) {
      JSON.parse(line);
      if (Buffer.byteLength(line) > 8000) throw new Error('too large');
    }
  });
});

function nested(levels: number): Json {
  let body: Json = 'end';
  for (let level = 0; level < levels; level += 1) body = { evidence: [body] };
  return body;
}
