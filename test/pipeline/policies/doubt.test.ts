import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Doubt } from '../../../src/pipeline/policies/doubt.ts';
import { outcomes, spelled } from './outcomes.ts';

describe('Doubt', () => {
  it.each([
    ['ddd', 'ddd', ''],
    ['drd', 'drd', ''],
    ['ddr', 'dd', 'r'],
    ['r', '', 'r'],
    ['-r--', '-', 'r--'],
    ['f-', 'f-', ''],
    ['rfd', 'rfd', ''],
    ['drfr-', 'd', 'rfr-'],
  ])('S9: of %s it is certain of %j and keeps %j in doubt', (answer, certain, kept) => {
    const doubt = new Doubt();
    expect(spelled(doubt.answered(outcomes(answer)))).toBe(certain);
    expect(() => doubt.check()).not.toThrow();
    expect(spelled(doubt.answered(outcomes('d')))).toBe(`${kept}d`);
  });

  it('S9: ten refusals and nothing accepted between is a word about the sink: it is unavailable', () => {
    const doubt = new Doubt();
    for (let count = 0; count < 9; count++) {
      expect(doubt.answered(outcomes('r-', 2 * count))).toEqual([]);
      expect(() => doubt.check()).not.toThrow();
    }
    expect(doubt.answered(outcomes('r', 18))).toEqual([]);
    expect(() => doubt.check()).toThrow(/refused 10 records .*no to 18.*All of them are kept/);
  });

  it('S9: takes any number of refusals for words about records when a later one is accepted', () => {
    const doubt = new Doubt();
    expect(spelled(doubt.answered(outcomes(`${'r'.repeat(50)}d`)))).toBe(`${'r'.repeat(50)}d`);
    expect(() => doubt.check()).not.toThrow();
  });

  it('S9: takes a heartbeat for an acceptance, but not for ten refusals on end', () => {
    const doubt = new Doubt();
    doubt.answered(outcomes('rr-r'));
    expect(spelled(doubt.heartbeat())).toBe('rr-r');
    expect(doubt.heartbeat()).toEqual([]);
    for (let count = 0; count < 6; count++) {
      doubt.answered(outcomes('r', 10 + count));
      expect(doubt.heartbeat()).toHaveLength(1);
    }
    doubt.answered(outcomes('r', 20));
    expect(doubt.heartbeat()).toEqual([]);
    expect(spelled(doubt.answered(outcomes('d', 21)))).toBe('rd');
    doubt.answered(outcomes('r', 22));
    expect(doubt.heartbeat()).toHaveLength(1);
  });

  it('Q6: does not grow with what is passed over behind a refusal', () => {
    const doubt = new Doubt();
    doubt.answered(outcomes('r'));
    for (let count = 0; count < 1_000; count++) doubt.answered(outcomes('-'.repeat(10), 1 + 10 * count));
    const certain = doubt.answered(outcomes('d', 10_001));
    expect(certain).toHaveLength(3);
    expect(certain[1]).toMatchObject({ filtered: 10_000, end: { cursor: { index: 10_000 } } });
  });

  it('K5: gives everything once, in order, and no refusal of the sink before an acceptance', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('d', 'r', 'f', '-'), maxLength: 6 })),
        (answers) => {
          const doubt = new Doubt();
          const all = answers.join('');
          let given = '';
          let asked = 0;
          for (const answer of answers) {
            given += spelled(doubt.answered(outcomes(answer, asked)));
            asked += answer.length;
            expect(all.startsWith(given)).toBe(true);
            // What is certain ends with the last acceptance, or goes on without a refusal of the sink.
            expect(given.slice(given.lastIndexOf('d') + 1)).not.toContain('r');
            expect(given.length).toBeGreaterThan(all.slice(0, asked).lastIndexOf('d'));
          }
        },
      ),
    );
  });
});
