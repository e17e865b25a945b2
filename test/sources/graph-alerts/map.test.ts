import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ticksOf } from '../../../src/core/ticks.ts';
import { parseJson, stringOf } from '../../../src/lib/json.ts';
import { alertRecord } from '../../../src/sources/graph-alerts/map.ts';
import { anAlert } from '../../support/records.ts';

describe('alertRecord()', () => {
  it('takes an alert as it is', () => {
    const alert = anAlert({ id: 'da1', severity: 'high' });
    expect(alertRecord(alert)).toMatchObject({
      kind: 'alert',
      id: 'da1',
      revision: ticksOf('2025-03-04T10:20:01.3266667Z'),
      created: ticksOf('2025-03-04T10:13:27.7216667Z'),
      timeMs: Date.parse('2025-03-04T10:20:01.326Z'),
      severity: 'high',
      json: Buffer.from(JSON.stringify(alert)),
    });
  });

  it('G23: passes values, evidence types and fields on that nobody knows yet', () => {
    const alert = anAlert({
      severity: 'catastrophic',
      serviceSource: 'microsoftDefenderForTheMoon',
      evidence: [{ '@odata.type': '#microsoft.graph.security.aFutureEvidence', anything: { at: ['all'] } }],
      somethingNew: null,
    });
    const record = alertRecord(alert);
    expect(record?.severity).toBe('catastrophic');
    expect(parseJson(record?.json ?? '')).toEqual(alert);
  });

  it('keeps integers that a double cannot hold', () => {
    const record = alertRecord(parseJson('{"id":"a","n":9007199254740993123}'));
    expect(stringOf(record?.json ?? '')).toBe('{"id":"a","n":9007199254740993123}');
  });

  it('takes the creation for the revision where there is no other time, and else 0', () => {
    const created = ticksOf('2025-03-04T10:13:27.7216667Z');
    for (const lastUpdateDateTime of [null, 'yesterday', 7, '0001-01-01T00:00:00Z']) {
      expect(alertRecord(anAlert({ lastUpdateDateTime }))).toMatchObject({ revision: created, created });
    }
    expect(alertRecord({ id: 'a' })).toMatchObject({
      id: 'a',
      revision: 0n,
      created: undefined,
      severity: 'unknown',
    });
  });

  it('G21: makes an id of the body where there is none, so that two findings stay two', () => {
    const [first, second] = [anAlert({ id: null, title: 'a' }), anAlert({ id: null, title: 'b' })];
    expect(alertRecord(first)?.id).toMatch(/^no-id-[0-9a-f]{32}$/);
    expect(alertRecord(first)?.id).toBe(alertRecord({ ...first })?.id);
    expect(alertRecord(first)?.id).not.toBe(alertRecord(second)?.id);
  });

  it('sees late evidence and any change of length in the fingerprint', () => {
    const bodies = [
      anAlert(),
      anAlert({ title: 'Suspicious PowerShell downloads' }),
      anAlert({ evidence: [{}] }),
      anAlert({ evidence: [{}, {}] }),
    ];
    const fingerprints = bodies.map((body) => alertRecord(body)?.fingerprint);
    expect(new Set(fingerprints).size).toBe(bodies.length);
    expect(fingerprints.every(Number.isSafeInteger)).toBe(true);
  });

  it('takes any object, and nothing else', () => {
    fc.assert(fc.property(fc.object(), (body) => alertRecord(body) !== undefined));
    for (const row of [null, undefined, 'alert', 7, true, 7n, []]) expect(alertRecord(row)).toBeUndefined();
  });
});
