import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AlertState,
  changesBetween,
  formatState,
  parseState,
  stateFields,
} from '../../src/core/changes.ts';

const state: AlertState = {
  status: 'new',
  severity: 'high',
  classification: '',
  determination: '',
  assignedTo: '',
  comments: '0 c1',
  evidence: '3 e1',
  remediation: 'active 2, remediated 1 r1',
};

describe('changesBetween()', () => {
  it.each([
    ['nothing', {}, []],
    ['the status', { status: 'resolved' }, [{ field: 'status', from: 'new', to: 'resolved' }]],
    ['who has it', { assignedTo: 'ana' }, [{ field: 'assignedTo', from: '', to: 'ana' }]],
    ['comments', { comments: '1 c2' }, [{ field: 'comments', from: '0', to: '1' }]],
    ['evidence, but not how much', { evidence: '3 e2' }, [{ field: 'evidence', from: '3', to: '3' }]],
    [
      'what was done',
      { remediation: 'remediated 3 r2' },
      [{ field: 'remediation', from: 'active 2, remediated 1', to: 'remediated 3' }],
    ],
    ['that it has no evidence', { remediation: ' r0' }, [expect.objectContaining({ to: '' })]],
  ])('tells %s', (_, difference, changes) => {
    expect(changesBetween(state, { ...state, ...difference })).toEqual(changes);
  });

  it('what one of them does not know is no difference', () => {
    expect(changesBetween({}, state)).toEqual([]);
    expect(changesBetween({ status: 'new' }, { ...state, severity: 'low' })).toEqual([]);
  });
});

describe('parseState()', () => {
  const states = fc.record(
    Object.fromEntries(stateFields.map((field) => [field, fc.string({ unit: 'binary' })])),
  ) as unknown as fc.Arbitrary<AlertState>;

  it('gives back what formatState() was given', () => {
    fc.assert(
      fc.property(states, (each) => {
        expect(parseState(formatState(each))).toEqual(each);
      }),
    );
  });

  it('knows what is there, and nothing of what cannot be read', () => {
    expect(parseState('["new","low",7,null]')).toEqual({ status: 'new', severity: 'low' });
    for (const text of ['', '{}', '7', 'null', '["new"']) expect(parseState(text)).toEqual({});
  });
});
