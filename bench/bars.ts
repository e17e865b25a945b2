import type { Bar, Run } from './scenario.ts';
import { DRAINED } from './scenarios/backlog.ts';
import { CEILING, IN_MEMORY, RELAY } from './scenarios/e2e.ts';
import { HEALTHY } from './scenarios/fanout.ts';
import { LEVELS, rowOf } from './scenarios/growth.ts';
import { IDLE } from './scenarios/idle.ts';
import { fromPage } from './scenarios/latency.ts';
import { PARSE } from './scenarios/parse.ts';
import { PEERS } from './scenarios/peers.ts';
import { START } from './scenarios/start.ts';

const milliseconds = (value: number) => `${value.toLocaleString('en', { maximumFractionDigits: 1 })} ms`;
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
    what: 'one of three sinks, against end to end',
    at: 'least',
    bar: 0.75,
    spell: times,
    value: (run) => ratio(run.figure('fanout', HEALTHY, 'perSecond'), relayRate(run)),
  },
  {
    what: 'latency: p99 from page to event, 1,000/s',
    at: 'most',
    bar: 50,
    spell: milliseconds,
    value: (run) => run.figure('latency', fromPage(1_000), 'p99Ms'),
  },
  {
    what: 'idle: processor',
    at: 'most',
    bar: 0.01,
    spell: (share) => `${(100 * share).toFixed(2)} %`,
    value: (run) => run.figure('idle', IDLE, 'cpuShare'),
  },
  {
    what: 'start with a million records',
    at: 'most',
    bar: 1_000,
    spell: milliseconds,
    value: (run) => run.figure('start', START, 'ms'),
  },
  {
    what: 'backlog of a million: memory',
    at: 'most',
    bar: 200e6,
    spell: (bytes) => `${Math.round(bytes / 1e6)} MB`,
    value: (run) => run.figure('backlog', DRAINED, 'bytes'),
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
