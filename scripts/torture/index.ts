/**
 * `npm run torture -- --cycles N --seed S [--parallel P]`: does something bad to a relay at work, N times, and looks
 * whether anything was lost, forged, told out of order or held up by it. The relay is the built program, the receiver a
 * process of its own; the simulator raises and changes alerts all the while. Exit code 1 when anything is wrong. Ctrl-C
 * ends it early, and what was done until then is judged.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { spellDuration } from '../../src/lib/spell.ts';
import { Random } from '../../src/simulator/random.ts';
import { type Harm, harms } from './harms.ts';
import { openScene, RECOVERY_MS, type Scene } from './scene.ts';
import { type Result, resultOf, summaryOf } from './summary.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '25' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    parallel: { type: 'string', default: '1' },
    harm: { type: 'string' },
  },
});
const [cycles, seed, parallel] = [values.cycles, values.seed, values.parallel].map(Number) as [
  number,
  number,
  number,
];
const wanted = harms.filter(({ name }) => values.harm === undefined || name.includes(values.harm));
if (!(cycles > 0) || !Number.isSafeInteger(seed) || !(parallel > 0) || wanted.length === 0) {
  console.error('torture: --cycles N, --seed N, --parallel N; --harm TEXT: only what has that in its name');
  process.exit(2);
}

/** All of them once, in an order by chance, then all of them again. */
function* inTurn(random: Random): Generator<Harm, never> {
  for (;;) {
    const left = [...wanted];
    while (left.length > 0) yield left.splice(random.int(0, left.length - 1), 1)[0]!;
  }
}

const open = new Set<Scene>();
const close = async () => {
  await Promise.allSettled([...open].map((scene) => scene.close()));
  process.exit(1);
};
process.once('SIGTERM', close);
/** What has been done until then is judged; whoever has no patience for that says so again. */
let isEnough = false;
process.once('SIGINT', () => {
  isEnough = true;
  console.log('ends after this cycle; Ctrl-C again ends at once');
  process.once('SIGINT', close);
});

async function torture(lane: number, count: number, log: (text: string) => void): Promise<Result> {
  const scene = await openScene(seed + lane, lane);
  open.add(scene);
  try {
    scene.start();
    const stuck: string[] = [];
    const recoveries: number[] = [];
    const cannot = new Map<string, string>();
    if ((await scene.recovered()) === undefined) stuck.push('at the start');
    const turns = inTurn(new Random(seed, lane));
    for (let done = 0; done < count && stuck.length === 0 && !isEnough; ) {
      const { value: harm } = turns.next();
      const whyNot = harm.whyNot?.(scene);
      if (whyNot !== undefined) {
        cannot.set(harm.name, whyNot);
        if (cannot.size === wanted.length) break;
        continue;
      }
      done += 1;
      const recovery = await cycle(scene, harm);
      if (recovery === undefined) stuck.push(harm.name);
      else recoveries.push(recovery);
      const told = recovery === undefined ? `no alert for ${spellDuration(RECOVERY_MS)}` : `${recovery} ms`;
      log(`${String(done).padStart(4)}  ${harm.name.padEnd(52)} ${told}`);
    }
    const result = resultOf(await scene.finish(), { stuck, recoveries, cannot, log: scene.relay.log });
    if (!summaryOf([result]).isClean) log(`what happened is kept in ${scene.keep()}`);
    return result;
  } finally {
    open.delete(scene);
    await scene.close();
  }
}

/** How long it took until a fresh alert arrived, once it was over. */
async function cycle(scene: Scene, harm: Harm): Promise<number | undefined> {
  const from = Date.now();
  await harm.do(scene);
  if (!scene.relay.running) return undefined;
  const recovery = await scene.recovered();
  if (harm.isDiskFault) scene.diskFaults.push({ from, to: Date.now() });
  return recovery;
}

console.log(`torture: ${cycles} cycles, seed ${seed}, ${parallel} at a time`);
const lanes = Array.from({ length: Math.min(parallel, cycles) }, (_, lane) => lane);
const share = (lane: number) => Math.ceil((cycles - lane) / lanes.length);
const results = await Promise.all(
  lanes.map((lane) =>
    torture(lane, share(lane), (text) => console.log(lanes.length > 1 ? `${lane}:${text}` : text)),
  ),
);
const { lines, isClean } = summaryOf(results);
for (const line of lines) console.log(line);
process.exit(isClean ? 0 : 1);
