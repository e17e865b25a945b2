import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesBetween } from '../../../src/core/changes.ts';
import { stateOf } from '../../../src/sources/graph-alerts/state.ts';
import { anAlert } from '../../support/records.ts';

const piece = (remediationStatus: string, verdict = 'malicious') => ({
  '@odata.type': '#microsoft.graph.security.fileEvidence',
  createdDateTime: '2025-03-04T10:13:27Z',
  remediationStatus,
  verdict,
});
const comment = (text: string) => ({ comment: text, createdByDisplayName: 'ana', createdDateTime: null });
const changes = (before: object, after: object) =>
  changesBetween(stateOf({ ...anAlert(), ...before }), stateOf({ ...anAlert(), ...after })).map(
    ({ field, from, to }) => `${field} ${from}>${to}`,
  );

describe('stateOf()', () => {
  it.each([
    [
      'status and assignment',
      {},
      { status: 'resolved', assignedTo: 'ana' },
      ['status new>resolved', 'assignedTo >ana'],
    ],
    ['a verdict on all', {}, { classification: 'truePositive' }, ['classification >truePositive']],
    ['a comment', {}, { comments: [comment('mine')] }, ['comments 0>1']],
    ['another text of one', { comments: [comment('a')] }, { comments: [comment('b')] }, ['comments 1>1']],
    [
      'remediation',
      { evidence: [piece('active'), piece('active')] },
      { evidence: [piece('active'), piece('remediated')] },
      ['remediation active 2>active 1, remediated 1'],
    ],
    [
      'further evidence',
      { evidence: [] },
      { evidence: [piece('active')] },
      ['evidence 0>1', 'remediation >active 1'],
    ],
  ])('sees %s', (_, before, after, expected) => {
    expect(changes(before, after)).toEqual(expected);
  });

  it('does not see another order, nor one word for "not known" instead of another', () => {
    const [one, two] = [piece('active'), piece('remediated', 'clean')];
    expect(changes({ evidence: [one, two] }, { evidence: [two, one] })).toEqual([]);
    expect(changes({ classification: null }, { classification: 'unknown' })).toEqual([]);
  });

  it('is short, whatever the alert holds', () => {
    const anything = fc.oneof(fc.jsonValue(), fc.string({ minLength: 1_000, maxLength: 2_000 }));
    const fields = ['status', 'assignedTo', 'comments', 'evidence', 'classification'];
    const alerts = fc.record(Object.fromEntries(fields.map((field) => [field, anything])));
    fc.assert(
      fc.property(alerts, (alert) => {
        for (const value of Object.values(stateOf(alert))) expect(value.length).toBeLessThan(400);
      }),
      { numRuns: 50 },
    );
  });
});
