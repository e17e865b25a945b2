/**
 * Does a relay need no more as time goes by, and as more waits? The program that was built, simulator and receivers are
 * processes of their own. Exit code 1 when not.
 *
 * - `npm run soak -- --minutes 10 [--rate 200]`: memory, files and latency are flat, with a receiver that flaps and a
 *   journal that prunes all the time. With `--neighbours` there are a dead and a slow receiver beside them, of each kind
 *   of sink.
 * - `npm run soak -- --backlog 1000000`: memory stays small while so many records wait for a receiver that is away,
 *   another one is served meanwhile, and the first gets all of them in order when it is back.
 *
 * `--json`: for programs.
 */
import { parseArgs } from 'node:util';
import { spellDuration } from '../../src/lib/spell.ts';
import { isBuilt } from '../processes.ts';
import { backlog } from './backlog.ts';
import { endure } from './endure.ts';

export interface Outcome {
  readonly isWell: boolean;
  /** For people. */
  readonly lines: readonly string[];
  /** For programs. */
  readonly found: object;
}

const LEAST_MINUTES = 1;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    rate: { type: 'string', default: '200' },
    backlog: { type: 'string' },
    neighbours: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [minutes, rate, records] = [values.minutes, values.rate, values.backlog ?? 1].map(Number) as [
  number,
  number,
  number,
];
if (!(minutes >= LEAST_MINUTES) || !(rate > 0) || !(Number.isSafeInteger(records) && records > 0)) {
  console.error(
    `soak: --minutes N, ${LEAST_MINUTES} or more, and --rate N, alerts a second, and --neighbours; or --backlog N, records; --json`,
  );
  process.exit(2);
}
if (!isBuilt()) {
  console.error('soak: first "npm run build"');
  process.exit(2);
}
const begun = performance.now();
const say = (line: string) => console.error(`${spellDuration(performance.now() - begun).padEnd(7)} ${line}`);
const { isWell, lines, found } = await (values.backlog === undefined
  ? endure({ forMs: minutes * 60_000, rate, neighbours: values.neighbours, say })
  : backlog(records, say));
console.log(values.json ? JSON.stringify({ isWell, ...found }, null, 2) : lines.join('\n'));
process.exit(isWell ? 0 : 1);
