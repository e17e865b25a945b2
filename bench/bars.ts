import type { Bar, Run } from './scenario.ts';
import { CEILING, RELAY } from './scenarios/e2e.ts';
import { PARSE } from './scenarios/parse.ts';

const times = (value: number) => `${value.toFixed(2)} ×`;

/** `undefined` where one of the two was not measured. */
function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}

const relayRate = (run: Run) => run.figure('e2e', RELAY, 'perSecond');

/** What must hold, and that what is measured is not what measures. */
export const bars: readonly Bar[] = [
  {
    what: 'end to end, against JSON.parse alone',
    at: 'least',
    bar: 0.5,
    spell: times,
    value: (run) => ratio(relayRate(run), run.figure('parse', PARSE, 'perSecond')),
  },
  {
    what: 'the generator alone, against end to end',
    at: 'least',
    bar: 2,
    spell: times,
    value: (run) => ratio(run.figure('e2e', CEILING, 'perSecond'), relayRate(run)),
  },
];
