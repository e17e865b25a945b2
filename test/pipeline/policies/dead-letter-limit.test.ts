import { describe, expect, it } from 'vitest';
import { DeadLetterLimit } from '../../../src/pipeline/policies/dead-letter-limit.ts';
import { outcomes, spelled } from './outcomes.ts';

const HOUR_MS = 3_600_000;

describe('DeadLetterLimit', () => {
  it('S4: admits a hundred dead letters an hour, and all that comes before the next', () => {
    let nowMs = 0;
    const limit = new DeadLetterLimit(() => nowMs);
    const answer = outcomes(`${'rd-'.repeat(99)}fdrdr`);
    expect(spelled(limit.admit(answer))).toBe(`${'rd-'.repeat(99)}fd`);
    nowMs += HOUR_MS - 1;
    expect(spelled(limit.admit(outcomes('ddr')))).toBe('dd');
    nowMs += 1;
    expect(spelled(limit.admit(outcomes('ddr')))).toBe('ddr');
  });

  it('S4: counts only what it admitted', () => {
    const limit = new DeadLetterLimit(() => 0);
    expect(limit.admit(outcomes('f'.repeat(300)))).toHaveLength(100);
    expect(limit.admit(outcomes('d'.repeat(300)))).toHaveLength(300);
    expect(limit.admit(outcomes('f'))).toEqual([]);
  });

  it('tells when it goes on, and what is in the way; a clock that was set back does not make it longer', () => {
    let nowMs = 5 * HOUR_MS;
    const limit = new DeadLetterLimit(() => nowMs);
    limit.admit(outcomes('f'.repeat(100)));
    nowMs += 60_000;
    expect(limit.paused(outcomes('dr'))).toMatchObject({
      retryAfterMs: HOUR_MS - 60_000,
      message: expect.stringMatching(/100 records .* within an hour.*no to 1/),
    });
    nowMs -= 4 * HOUR_MS;
    expect(limit.paused(outcomes('r')).retryAfterMs).toBe(HOUR_MS);
  });
});
