import type { Cursor, Follow, Position, Refusal, Withheld } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import type { SendResult } from '../core/sink.ts';
import { joinWithheld } from '../core/withheld.ts';
import type { Step } from './render.ts';

/** What became of one record, once the sink has answered. */
export interface Outcome {
  /** Where the sink stands once it is settled. */
  readonly end: Position;
  readonly follow?: Follow;
  readonly delivered?: RelayRecord;
  /** Our own word. */
  readonly refusal?: Refusal;
  /** The word of the sink. It may refuse everything today, so it has to be proved: see `policies/doubt.ts`. */
  readonly rejection?: Refusal;
  /** Records passed over; several outcomes of that kind may stand as one. */
  readonly filtered?: number;
}

export function outcomesOf(steps: readonly Step[], result: SendResult): Outcome[] {
  const rejections = new Map(result.refused.map((rejection) => [rejection.index, rejection]));
  let nth = 0;
  return steps.map(({ sent: record, ...step }) => {
    if (!record) return step;
    const rejected = rejections.get(nth++);
    if (!rejected) return { ...step, delivered: record };
    const { reason, detail } = rejected;
    return { ...step, rejection: { record, reason, detail } };
  });
}

/** What will be a dead letter once the outcomes are settled. */
export function refusalsOf(outcomes: readonly Outcome[]): Refusal[] {
  return outcomes.flatMap(({ refusal, rejection }) => refusal ?? rejection ?? []);
}

/** What of the records after `from` the sink is not given. */
export function withheldOf(from: Cursor, outcomes: readonly Outcome[]): Withheld[] {
  let after = from;
  const withheld: Withheld[] = [];
  for (const { end, delivered, filtered } of outcomes) {
    const upTo = end.cursor;
    if (!delivered) withheld.push({ after, upTo, why: filtered === undefined ? 'refused' : 'filtered' });
    after = upTo;
  }
  return joinWithheld([], withheld);
}
