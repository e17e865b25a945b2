import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { spellSize } from '../../src/lib/spell.ts';
import { among, end } from '../processes.ts';
import { smallAlert } from '../small-alert.ts';
import { lookAt, memoryOf } from '../watch.ts';
import type { Outcome } from './index.ts';
import { Receiver } from './receivers.ts';

/** What the relay may have at any time (design, section 6). */
const MOST_BYTES = 200e6;
const LOOK_MS = 1_000;
const PROGRESS_MS = 10_000;
/** Nothing has come for so long: it will not come any more. */
const PATIENCE_MS = 120_000;

interface Phase {
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** Most that it had at the moments when it was looked at. */
  readonly mostBytes: number;
}

export interface BacklogFound {
  readonly records: number;
  readonly pending: number;
  readonly filled: Phase;
  readonly drained: Phase;
  /** Most memory that it ever had. */
  readonly highBytes: number;
  readonly repeated: number;
  readonly problems: readonly string[];
}

/** Lets so many records wait for a receiver that is away while another is served; then it comes back. */
export function backlog(
  records: number,
  say: (line: string) => void,
): Promise<Outcome & { readonly found: BacklogFound }> {
  return among(async (processes) => {
    const input = join(processes.folder, 'alerts.ndjson');
    await pipeline(Readable.from(alerts(records, Date.now())), createWriteStream(input));
    say(`${records} alerts of ${Buffer.byteLength(alertLine(0, 0, 1))} bytes are there`);
    await processes.simulator(['--input', input]);
    const away = new Receiver(processes, 'away');
    const reads = new Receiver(processes, 'reads');
    const config = processes.configure(
      { away: await away.port, reads: await reads.port },
      '    delivery: { retry: { initial: 1s, max: 5s } }',
      // A sweep would read all of it again.
      (before) => before.replace('    every: 1s', '    every: 1s\n    sweep: { every: 24h }'),
    );
    const { child, metrics } = await processes.relay(config);
    const watched = { pid: child.pid!, metrics, state: join(processes.folder, 'state') };

    /** Until a receiver has all of them. */
    const phase = async (name: string, receiver: Receiver): Promise<Phase> => {
      const begun = performance.now();
      let [mostBytes, events, cameAt, nextProgress] = [0, -1, begun, begun + PROGRESS_MS];
      while (receiver.received.events - receiver.received.repeated < records) {
        const now = performance.now();
        if (receiver.received.events > events) [events, cameAt] = [receiver.received.events, now];
        if (now - cameAt > PATIENCE_MS) break;
        mostBytes = Math.max(mostBytes, memoryOf(watched.pid, 'VmRSS'));
        if (now >= nextProgress) {
          nextProgress += PROGRESS_MS;
          const { rssBytes, journalBytes, pending } = await lookAt(watched, 'away');
          say(
            `${name}: memory ${spellSize(rssBytes)}, journal ${spellSize(journalBytes)}, received ${events}, pending ${pending}`,
          );
        }
        await sleep(LOOK_MS);
      }
      const seconds = (performance.now() - begun) / 1000;
      return { seconds, recordsPerSecond: receiver.received.events / seconds, mostBytes };
    };

    const filled = await phase('the other one is served', reads);
    const { pending } = await lookAt(watched, 'away');
    away.comeBack();
    const drained = await phase('it is back', away);
    const highBytes = memoryOf(watched.pid, 'VmHWM');
    await end(child);
    // What was received last has been told by then.
    await sleep(2 * LOOK_MS);
    const [first, second] = [reads.received, away.received];
    const problems = [
      ...(highBytes > MOST_BYTES ? [`more memory than ${spellSize(MOST_BYTES)}`] : []),
      ...(pending < records ? [`only ${pending} waited`] : []),
      ...[first, second].flatMap(({ events, repeated, missing }) =>
        events - repeated === records && missing === 0
          ? []
          : [`${events - repeated} of ${records} came, ${missing} numbers were passed over`],
      ),
      ...(first.digest === second.digest ? [] : ['the two did not get the same in the same order']),
    ];
    const spell = (what: string, { seconds, recordsPerSecond, mostBytes }: Phase) =>
      `${what}: ${Math.round(seconds)} s, ${Math.round(recordsPerSecond)} records/s, memory at most ${spellSize(mostBytes)}`;
    return {
      isWell: problems.length === 0,
      lines: [
        spell(`${pending} records wait for one receiver while another is served`, filled),
        spell('all of them are given to it', drained),
        `most memory ever: ${spellSize(highBytes)} (at most ${spellSize(MOST_BYTES)}); sent again: ${second.repeated}`,
        ...(problems.length === 0
          ? ['all arrived, in order']
          : problems.map((problem) => `WRONG ${problem}`)),
      ],
      found: { records, pending, filled, drained, highBytes, repeated: second.repeated, problems },
    };
  });
}

/** Small ones, so that a million fits in the time of a run; evenly over the last hours. */
function* alerts(count: number, nowMs: number): Generator<string> {
  for (let index = 0; index < count; index++) yield alertLine(index, nowMs, count);
}

const SPAN_MS = 6 * 3_600_000;

function alertLine(index: number, nowMs: number, count: number): string {
  const time = new Date(nowMs - SPAN_MS + Math.floor((index * SPAN_MS) / count)).toISOString();
  return `${JSON.stringify(smallAlert(`da${String(index).padStart(9, '0')}`, time))}\n`;
}
