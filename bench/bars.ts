import type { Bar, Run } from './scenario.ts';
import { CEILING, IN_MEMORY, RELAY } from './scenarios/e2e.ts';
import { LEVELS, rowOf } from './scenarios/growth.ts';
import { PARSE } from './scenarios/parse.ts';
import { PEERS } from './scenarios/peers.ts';

const times = (value: number) => `${value.toFixed(2)} ×`;

/** `undefined` where one of the two was not measured. */
function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}

/** Of the peers that are there. */
function fastest(run: Run): number | undefined {
  const rates = PEERS.map((peer) => run.figure('peers', peer, 'perSecond')).filter(
    (rate) => rate !== undefined,
  );
  return rates.length === 0 ? undefined : Math.max(...rates);
}

/** With most retained of what was measured. */
function lastGrowth(run: Run): number | undefined {
  return LEVELS.map((level) => run.figure('growth', rowOf(level), 'cpuMicros')).findLast(
    (cost) => cost !== undefined,
  );
}

const relayRate = (run: Run) => run.figure('e2e', RELAY, 'perSecond');

/** What must hold, and that what is measured is not what measures. */
export const bars: readonly Bar[] = [
  {
    what: 'end to end, against the faster peer',
    at: 'least',
    bar: 3,
    spell: times,
    value: (run) => ratio(relayRate(run), fastest(run)),
  },
  {
    what: 'end to end, against JSON.parse alone',
    at: 'least',
    bar: 0.5,
    spell: times,
    value: (run) => ratio(relayRate(run), run.figure('parse', PARSE, 'perSecond')),
  },
  {
    what: 'end to end, against the same with its journal in memory',
    at: 'least',
    bar: 0.75,
    spell: times,
    value: (run) => ratio(relayRate(run), run.figure('e2e', IN_MEMORY, 'perSecond')),
  },
  {
    what: 'growth: CPU of a record with most retained, against fewest',
    at: 'most',
    bar: 1.2,
    spell: times,
    value: (run) => ratio(lastGrowth(run), run.figure('growth', rowOf(LEVELS[0]!), 'cpuMicros')),
  },
  {
    what: 'the generator alone, against end to end',
    at: 'least',
    bar: 2,
    spell: times,
    value: (run) => ratio(run.figure('e2e', CEILING, 'perSecond'), relayRate(run)),
  },
];
