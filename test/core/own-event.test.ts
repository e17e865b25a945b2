import { describe, expect, it } from 'vitest';
import { type OwnEvent, type OwnField, ownEventIds, ownEvents } from '../../src/core/own-event.ts';
import { bodyName, ownRecord } from '../../src/core/own-record.ts';

const atMs = Date.UTC(2026, 10, 28, 9);
const failing: OwnEvent = {
  kind: 'sink-failing',
  sink: 'siem',
  reason: 'network',
  sinceMs: atMs - 60_000,
  count: 2,
  detail: 'refused',
};

describe('the table of own events', () => {
  it('has ids that a rule can be built on, and names each field once', () => {
    for (const id of ownEventIds) {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)+$/);
      const fields: readonly OwnField[] = [...ownEvents[id].fields, ...ownEvents[id].maybe];
      expect(new Set(fields).size).toBe(fields.length);
    }
  });

  it('D16: keeps its ids for ever', () => {
    // One may be added here. None may be taken away or renamed: somebody's rule has it.
    expect(ownEventIds).toEqual([
      'relay-started',
      'config-reloaded',
      'config-refused',
      'source-failing',
      'source-healed',
      'sink-failing',
      'sink-healed',
      'dead-letters',
      'queue-paused',
      'queue-resumed',
      'journal-filling',
      'gap-found',
      'gap-repaired',
      'credential-expiring',
      'credential-expired',
      'product-silent',
      'product-speaking',
      'product-coverage',
    ]);
  });
});

describe('ownRecord', () => {
  it('says what it is, of what, and for people', () => {
    expect(ownRecord(failing, 7n, atMs, 0)).toEqual({
      kind: 'relay',
      source: 'defender-relay',
      tenant: '',
      id: 'sink:siem',
      revision: 7n,
      unrevised: 0,
      outcome: 'new',
      timeMs: atMs,
      createdMs: atMs,
      severity: 'high',
      body: {
        event: 'sink-failing',
        name: 'Sink failing',
        message: 'Nothing can be delivered to sink siem (network); 2 records wait for it.',
        sink: 'siem',
        reason: 'network',
        since: '2026-11-28T08:59:00.000Z',
        count: 2,
        detail: 'refused',
      },
    });
  });

  it('has one id for what is of one thing, so that the last that was told is how it stands', () => {
    const healed: OwnEvent = { kind: 'sink-healed', sink: 'siem', sinceMs: atMs, count: 0 };
    expect(ownRecord(healed, 8n, atMs, 0).id).toBe(ownRecord(failing, 7n, atMs, 0).id);
  });

  it('is of the tenant that it tells of', () => {
    const event: OwnEvent = { kind: 'source-healed', source: 'alerts', tenant: 'contoso', sinceMs: atMs };
    expect(ownRecord(event, 1n, atMs, 0)).toMatchObject({ tenant: 'contoso', id: 'source:alerts' });
  });

  it('shortens what others have said, whole characters', () => {
    const detail = '\u{1f600}'.repeat(100_000);
    const { body } = ownRecord({ ...failing, detail }, 1n, atMs, 0);
    expect(body.detail).toBe(`${'\u{1f600}'.repeat(199)}…`);
  });

  it('takes no product from outside', () => {
    const event: OwnEvent = {
      kind: 'gap-found',
      sink: 'siem',
      reason: 'missing',
      count: 1,
      product: 'x\ny=z',
    };
    const { id, body } = ownRecord(event, 1n, atMs, 0);
    expect([id, body.product]).toEqual(['gap:siem:other', 'other']);
  });

  it('leaves out a time or number that is none, and says how many were not told', () => {
    const { body } = ownRecord(
      { kind: 'journal-filling', sink: 'siem', percent: Number.NaN, untilMs: Number.POSITIVE_INFINITY },
      1n,
      atMs,
      3,
    );
    expect(JSON.parse(JSON.stringify(body))).toEqual({
      event: 'journal-filling',
      name: 'Journal filling',
      message: expect.any(String),
      sink: 'siem',
      untold: 3,
    });
  });

  it('names fields without their unit', () => {
    expect([bodyName('sinceMs'), bodyName('usualSeconds')]).toEqual(['since', 'usualSeconds']);
  });
});
