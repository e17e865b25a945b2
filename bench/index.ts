/**
 * `npm run bench`: how fast the relay is, beside what it is measured against in the same run, and whether the bars hold.
 * Exit code 1 when one does not. See README.md beside this.
 *
 * - `--only e2e,parse`: these scenarios.
 * - `--runs N`: so many times each that is not measured once; 3 by default.
 * - `--quick`: less of everything, and one run.
 * - `--json`: for programs.
 */
import { parseArgs } from 'node:util';
import { isBuilt } from '../scripts/processes.ts';
import { colorsFor, isTerminal } from '../src/cli/io.ts';
import { progressLine } from '../src/cli/progress-line.ts';
import { spellDuration } from '../src/lib/spell.ts';
import { bars } from './bars.ts';
import { machine } from './machine.ts';
import { rowsOf, scenarioText, verdictsOf, verdictText } from './report.ts';
import { type Measured, Run, type Scenario } from './scenario.ts';
import { backlog } from './scenarios/backlog.ts';
import { e2e } from './scenarios/e2e.ts';
import { fanout } from './scenarios/fanout.ts';
import { format } from './scenarios/format.ts';
import { growth } from './scenarios/growth.ts';
import { idle } from './scenarios/idle.ts';
import { journal } from './scenarios/journal.ts';
import { latency } from './scenarios/latency.ts';
import { parse } from './scenarios/parse.ts';
import { peers } from './scenarios/peers.ts';
import { start } from './scenarios/start.ts';

const scenarios: readonly Scenario[] = [
  parse,
  format,
  journal,
  e2e,
  peers,
  fanout,
  latency,
  idle,
  start,
  backlog,
  growth,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const { quick } = values;
const count = Number(values.runs ?? (quick ? 1 : 3));
const names = values.only?.split(',') ?? scenarios.map(({ name }) => name);
const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
if (unknown.length > 0 || !(Number.isSafeInteger(count) && count > 0)) {
  const all = scenarios.map(({ name }) => name).join(',');
  console.error(`bench: --only ${all}; --runs N; --quick; --json`);
  process.exit(2);
}
if (!isBuilt()) {
  console.error('bench: first "npm run build"');
  process.exit(2);
}

const wanted = scenarios.filter(({ name }) => names.includes(name));
const head = machine();
const begun = performance.now();
const line = isTerminal(process.stderr) ? progressLine(process.stderr) : undefined;
const tell = (text: string) => {
  const timed = `${spellDuration(performance.now() - begun).padEnd(7)} ${text}`;
  if (line) line.show(timed);
  else console.error(timed);
};

let hasFailed = false;
const runs = Array.from({ length: count }, () => new Run());
const measured = new Map<Scenario, (readonly Measured[])[]>(wanted.map((scenario) => [scenario, []]));
// One run has all of them in turn: what is compared with each other is measured at about the same time.
for (const [index, run] of runs.entries()) {
  for (const scenario of wanted) {
    if (scenario.once && index > 0) continue;
    const where = `${scenario.name}, run ${index + 1} of ${scenario.once ? 1 : count}`;
    tell(where);
    const rows = await scenario.run({ quick, say: (text) => tell(`${where}: ${text}`) }).catch(failed);
    run.add(scenario.name, rows);
    measured.get(scenario)!.push(rows);
  }
}
line?.clear();

/** The other scenarios are measured all the same. */
function failed(error: Error): Measured[] {
  hasFailed = true;
  console.error(error);
  return [{ what: 'failed', figures: {}, note: error.message }];
}

const found = wanted.map((scenario) => ({ scenario, rows: rowsOf(measured.get(scenario)!) }));
const verdicts = verdictsOf(bars, runs);
if (values.json) {
  const results = found.map(({ scenario, rows }) => ({ scenario: scenario.name, rows }));
  const judged = verdicts.map(({ bar: { what, at, bar }, ...rest }) => ({ what, at, bar, ...rest }));
  console.log(JSON.stringify({ machine: head, quick, runs: count, results, bars: judged }, null, 2));
} else {
  const colors = colorsFor(process.stdout);
  const { processor, cores, memory, system, node, commit, at, load } = head;
  const lines = [
    `${at}  commit ${commit}  Node ${node}  ${system}`,
    `${cores} × ${processor}, ${memory}; load ${load} at the start${quick ? '; quick: rough figures' : ''}`,
    ...found.flatMap(({ scenario, rows }) => ['', ...scenarioText(scenario, rows, colors)]),
    '',
    ...verdictText(verdicts, colors),
    '',
    'median over the runs ± half of the spread. Graph gives 2,500 records/s per tenant at most: more is for Event Hubs, backlogs and many tenants',
  ];
  console.log(lines.join('\n'));
}
process.exit(hasFailed || verdicts.some(({ holds }) => holds === false) ? 1 : 0);
