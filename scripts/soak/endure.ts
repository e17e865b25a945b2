import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Closers } from '../../src/lib/closers.ts';
import { spellDuration, spellSize } from '../../src/lib/spell.ts';
import { type Neighbour, Neighbourhood } from '../../test/support/neighbours.ts';
import { among, end } from '../processes.ts';
import { lookAt } from '../watch.ts';
import type { Outcome } from './index.ts';
import { Receiver } from './receivers.ts';
import { type Judged, judge, type Sample } from './verdict.ts';

const LOOK_MS = 1_000;
const PROGRESS_MS = 10_000;
/** Until caches and pools have their size: so much of the time, and no less. */
const WARM_UP = { share: 0.25, leastMs: 20_000 };

export interface EndureOptions {
  readonly forMs: number;
  /** Alerts a second. */
  readonly rate: number;
  /** Beside these receivers there are a dead and a slow one of each kind of sink. */
  readonly neighbours: boolean;
  readonly say: (line: string) => void;
}

/** Lets a relay run with a receiver that flaps and one that reads, and judges whether it needs no more as time goes by. */
export function endure({ forMs, rate, neighbours, say }: EndureOptions): Promise<Outcome> {
  return among(async (processes) => {
    const closers = new Closers();
    await processes.simulator(['--rate', String(rate)]);
    const flaps = new Receiver(processes, 'flaps');
    const reads = new Receiver(processes, 'reads');
    const settings = `    confirm: { every: 500ms }
    delivery: { timeout: 5s, retry: { initial: 100ms, max: 1s } }`;
    const sinks = { flaps: await flaps.port, reads: await reads.port };
    const others = neighbours ? await badNeighbours(processes.folder, closers) : '';
    const config = processes.configure(sinks, settings, forget, 0, others);
    const { child, metrics } = await processes.relay(config);
    const watched = { pid: child.pid!, metrics, state: join(processes.folder, 'state') };
    const samples: Sample[] = [];
    const begun = performance.now();
    let nextProgress = PROGRESS_MS;
    for (let atMs = 0; atMs < forMs; atMs = performance.now() - begun) {
      const look = await lookAt(watched);
      const { latencyMs } = reads.received;
      samples.push({ ...look, atMs, latencyMs });
      if (atMs >= nextProgress) {
        nextProgress += PROGRESS_MS;
        const { rssBytes, heapBytes, files, active, journalBytes, logBytes } = look;
        const { delivered, pending, failures } = look;
        say(
          `memory ${spellSize(rssBytes)}, heap ${spellSize(heapBytes)}, journal ${spellSize(journalBytes)} and ` +
            `${spellSize(logBytes)}, files ${files}, timers and handles ${active}, latency ${latencyMs ?? '-'} ms; ` +
            `delivered ${delivered}, pending ${pending}, failures ${failures}`,
        );
      }
      await sleep(LOOK_MS);
    }
    await end(child);
    await closers.close();
    const all = judge(samples, Math.max(WARM_UP.leastMs, WARM_UP.share * forMs));
    // What waits for the dead lies there, until it is full.
    const judged = all.filter(({ what }) => !neighbours || what !== 'journal');
    const isWell = judged.every(({ isFlat }) => isFlat);
    return { isWell, lines: [...judged.map(verdictLine), isWell ? 'flat' : 'not flat'], found: { judged } };
  });
}

/** A sink to each, which nobody waits for: it misses what there is no room for. */
async function badNeighbours(folder: string, closers: Closers): Promise<string> {
  const all = await new Neighbourhood(folder, closers).start(['dead', 'slow']);
  const sinkOf = ({ name, settings }: Neighbour) => `
  - { name: ${name}, ${settings}, required: false, startFrom: journal, selfEvents: false,
      delivery: { timeout: 5s, retry: { initial: 100ms, max: 1s } } }`;
  return all.map(sinkOf).join('');
}

/** All that is remembered is kept for a short time. */
function forget(config: string): string {
  return config
    .replace('  directory: ./state', '  directory: ./state\n  maxBytes: 64MiB\n  retention: 10s')
    .replace(
      '    every: 1s',
      '    every: 1s\n    settle: 2s\n    overlap: 20s\n    sweep: { every: 1m, window: 1m }',
    );
}

function verdictLine({ what, unit, before, after, most, isFlat }: Judged): string {
  const spell = { bytes: spellSize, count: String, ms: spellDuration }[unit];
  const verdict = isFlat ? 'flat    ' : 'NOT FLAT';
  return `${verdict} ${what}: first quarter ${spell(before)}, last quarter ${spell(after)} (at most ${spell(most)})`;
}
