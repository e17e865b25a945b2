/**
 * `npm run endurance -- --for 10m --rate 200`: does a relay with a sink that flaps use no more memory, files and timers
 * as time goes by? Simulator, relay and receiver are processes of their own. Exit code 1 when something is not flat.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseDuration } from '../../src/lib/measures.ts';
import { spellDuration, spellSize } from '../../src/lib/spell.ts';
import { type Judged, judge, type Sample } from './verdict.ts';
import { lookAt } from './watch.ts';

const program = join(import.meta.dirname, '../../dist/main.js');
const LOOK_MS = 1_000;
const PROGRESS_MS = 10_000;
/** Until caches and pools have their size: so much of the time, and no less. */
const WARM_UP = { share: 0.25, leastMs: 20_000 };

/**
 * V8 and malloc keep what they have had, and take minutes to come to rest: with less room of their own a leak of a few
 * megabytes is not lost among them.
 */
const SMALL_POOLS = {
  flags: ['--max-semi-space-size=4'],
  env: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' },
};

const children: ChildProcess[] = [];

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, args, { stdio, env: { ...process.env, ...env } });
  children.push(child);
  return child;
}

/** The first line that says it; ends with an error when the process ends before that. */
async function lineOf(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
  let said = '';
  for await (const line of createInterface({ input: child[stream]! })) {
    said += `${line}\n`;
    const found = pattern.exec(line);
    if (!found) continue;
    // What it says later is read by nobody, and must not fill the pipe.
    child[stream]!.resume();
    return found[1] ?? line;
  }
  throw new Error(`a process ended before it was ready:\n${said}`);
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  return child.exitCode;
}

/** The simulator's own config with another sink. */
function configure(folder: string, port: number): string {
  const file = join(folder, 'relay.yaml');
  const [before] = readFileSync(file, 'utf8').split('\nsinks:');
  writeFileSync(
    file,
    `${before}
sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${port}
    startFrom: journal
    confirm: { every: 500ms }
    delivery: { timeout: 5s, retry: { initial: 100ms, max: 1s } }
server: { listen: 127.0.0.1:0 }
`,
  );
  return file;
}

async function endure(folder: string, forMs: number, rate: number): Promise<Judged[]> {
  const simulator = start([program, 'simulate', '--dir', folder, '--rate', String(rate), '--quota', 'off']);
  await lineOf(simulator, 'stdout', /a relay that reads from it/);
  const receiver = start([join(import.meta.dirname, 'receiver.ts')]);
  const port = Number(await lineOf(receiver, 'stdout', /^(\d+)$/));
  const run = [program, 'run', '--config', configure(folder, port)];
  const relay = start([...SMALL_POOLS.flags, ...run], SMALL_POOLS.env);
  relay.stdout!.resume();
  const url = await lineOf(relay, 'stderr', /(http:\S+\/metrics)/);

  const begun = performance.now();
  const samples: Sample[] = [];
  let nextProgress = PROGRESS_MS;
  for (let atMs = 0; atMs < forMs; atMs = performance.now() - begun) {
    const look = await lookAt(relay.pid!, url);
    samples.push({ ...look, atMs });
    if (atMs >= nextProgress) {
      nextProgress += PROGRESS_MS;
      const { rssBytes, heapBytes, files, active, delivered, pending, failures } = look;
      console.log(
        `${spellDuration(atMs).padEnd(7)} memory ${spellSize(rssBytes)}, heap ${spellSize(heapBytes)}, files ${files}, ` +
          `timers and handles ${active}; delivered ${delivered}, pending ${pending}, failures ${failures}`,
      );
    }
    await sleep(LOOK_MS);
  }
  const exitCode = await end(relay);
  if (exitCode !== 0) throw new Error(`the relay ended with exit code ${exitCode}`);
  return judge(samples, Math.max(WARM_UP.leastMs, WARM_UP.share * forMs));
}

function verdictLine({ what, before, after, most, isFlat }: Judged): string {
  const spell = most > 1_000_000 ? spellSize : String;
  return `${isFlat ? 'flat    ' : 'NOT FLAT'} ${what}: ${spell(before)}, then ${spell(after)} (at most ${spell(most)})`;
}

const { values } = parseArgs({
  options: { for: { type: 'string', default: '2m' }, rate: { type: 'string', default: '200' } },
});
const forMs = parseDuration(values.for);
const rate = Number(values.rate);
if (forMs === undefined || forMs < 2 * WARM_UP.leastMs || !(rate > 0)) {
  console.error('endurance: --for is a duration of 40s or more, such as 2m; --rate is alerts a second');
  process.exit(2);
}
if (!existsSync(program)) {
  console.error('endurance: first "npm run build"');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'relay-endurance-'));
try {
  const judged = await endure(folder, forMs, rate);
  for (const each of judged) console.log(verdictLine(each));
  const isFlat = judged.every((each) => each.isFlat);
  console.log(isFlat ? 'flat' : 'not flat');
  process.exitCode = isFlat ? 0 : 1;
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
