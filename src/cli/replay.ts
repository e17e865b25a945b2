import { loadConfig } from '../config/load.ts';
import { didYouMean } from '../config/nearest.ts';
import type { Config } from '../config/schema.ts';
import { askRelay } from '../control/client.ts';
import { JournalError, RelayError, UsageError } from '../core/errors.ts';
import type { ReplayProgress, ReplayRequest, ReplayResult } from '../core/replay.ts';
import type { Task } from '../core/task.ts';
import { spellCount } from '../lib/spell.ts';
import { stopOnSignals } from '../lib/stop.ts';
import { isAbort } from '../lib/wait.ts';
import { replay } from '../pipeline/replay.ts';
import { openStopped } from './administer.ts';
import { type Io, isTerminal } from './io.ts';
import { progressLine } from './progress-line.ts';
import { plain } from './table.ts';
import { rangeOf } from './times.ts';

export interface ReplayFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly sink: string;
  readonly from: string;
  readonly to: string;
  readonly maxPerSecond: number;
}

/** Where nobody looks at one line that changes, a new one comes so often. */
const LINE_MS = 10_000;

/** What came out, and whether a relay did it. */
interface Outcome {
  readonly result: ReplayResult;
  readonly isLive: boolean;
}

/**
 * Tells a sink again what was updated in a range of time: has the relay do it that runs, or puts it in the journal for
 * the next start when none runs (K9).
 *
 * @returns the exit code: 0 it is in the journal, all of it; 1 some is not
 */
export async function replayCommand(flags: ReplayFlags, io: Io): Promise<number> {
  const range = rangeOf(flags);
  const { config, effective } = loadConfig(flags.config, { needs: [], ...(io.env && { env: io.env }) });
  // Of what is set for a sink only its name is needed, and that has no secret in it.
  const names = (effective().sinks as readonly { readonly name: string }[]).map(({ name }) => name);
  const { sink, maxPerSecond } = flags;
  if (!names.includes(sink)) {
    const hint = didYouMean(sink, names) ?? `it has ${names.join(', ') || 'none'}`;
    throw new UsageError(`the config has no sink ${JSON.stringify(sink)}: ${hint}`);
  }
  const request = { sink, ...range, maxPerSecond };
  const { result, isLive } = await tell(request, config.state, io);
  const text = flags.json
    ? JSON.stringify({ sink, running: isLive, ...result }, null, 2)
    : replayText(sink, result, isLive).join('\n');
  io.stdout.write(`${text}\n`);
  return isAll(result) ? 0 : 1;
}

function isAll({ ended, gone, broken, unread }: ReplayResult): boolean {
  return ended === 'done' && gone + broken + unread.length === 0;
}

/** Has it done, and tells of it meanwhile. What ends it on its way, a signal or the end of the relay, leaves how far it came. */
async function tell(request: ReplayRequest, state: Config['state'], io: Io): Promise<Outcome> {
  const stop = stopOnSignals(process, { graceMs: () => 0, force: (code) => io.exit(code) });
  const shown = progressOn(io.stderr);
  let last: ReplayProgress | undefined;
  const progress = (step: ReplayProgress) => {
    last = step;
    shown.show(progressText(step));
  };
  try {
    return await ask(request, state, { signal: stop.soft, progress }, io);
  } catch (error) {
    const isStopped = isAbort(error);
    // One of the journal is no relay's.
    const isOfRelay = error instanceof RelayError && !(error instanceof JournalError);
    if (!isStopped && !(last && isOfRelay)) throw error;
    const { from, to } = request;
    const { records = 0, upTo = from } = last ?? {};
    const ended = isStopped ? 'stopped' : 'failed';
    const problem = isStopped ? {} : { problem: (error as RelayError).message };
    const unknown = { listed: 0, gone: 0, broken: 0, journalSince: null, notListed: null, unread: [] };
    return { result: { ended, ...problem, from, to, upTo, records, ...unknown }, isLive: true };
  } finally {
    stop.dispose();
    shown.end();
  }
}

async function ask(
  request: ReplayRequest,
  state: Config['state'],
  task: Task<ReplayProgress>,
  io: Io,
): Promise<Outcome> {
  const { signal, progress } = task;
  const answer = await askRelay(state.directory, 'replay', request, { signal, onProgress: progress });
  if (answer) return { result: answer.value, isLive: true };
  const journal = await openStopped(state, io);
  try {
    // Nothing is listed: that takes a relay, which has the secrets and shares out the quota.
    const options = { journal, sources: [], isLive: false, steady: () => performance.now() };
    return { result: await replay(request, options, task), isLive: false };
  } finally {
    await journal.close();
  }
}

function progressOn(stderr: NodeJS.WritableStream): { show(text: string): void; end(): void } {
  if (isTerminal(stderr)) {
    const { show, clear } = progressLine(stderr);
    return { show, end: clear };
  }
  let next = performance.now() + LINE_MS;
  return {
    show(text) {
      if (performance.now() < next) return;
      next = performance.now() + LINE_MS;
      stderr.write(`${text}\n`);
    },
    end() {},
  };
}

const DOING: Record<ReplayProgress['doing'], string> = {
  looking: 'looking through the journal',
  listing: 'listing what the journal does not have',
  appending: 'at work',
  'waiting-for-sink': 'waiting for the sink, which has much before it',
  'waiting-for-room': 'waiting for free room in the journal',
};

export function progressText({ doing, records, upTo }: ReplayProgress): string {
  return `${spellCount(records, 'record')}, up to ${upTo}: ${DOING[doing]}`;
}

/** What came out, for people. */
export function replayText(sink: string, result: ReplayResult, isLive: boolean): string[] {
  const { ended, records, listed, gone, broken, upTo, to, journalSince, notListed, unread } = result;
  const name = plain(sink);
  const lines = [
    `${spellCount(records, 'record')}${listed > 0 ? ` (${listed} from Graph)` : ''} in the journal for sink ${name} again, ` +
      `marked as replay${isLive ? '' : '; no relay runs: the next start sends them'}`,
  ];
  if (notListed)
    lines.push(
      journalSince === null
        ? 'the journal has never got anything'
        : `the journal has all that came since ${journalSince}; of what was updated before, only what came since then was told: ` +
            'with the relay running the rest is listed from Graph',
    );
  if (gone > 0)
    lines.push(`${spellCount(gone, 'record')} could not be told: the journal has let go of them meanwhile`);
  if (broken > 0)
    lines.push(
      `at most ${spellCount(broken, 'record')} could not be told: the journal is broken there; journal check says how`,
    );
  for (const { source, from, to: end, detail } of unread)
    lines.push(`not told, source ${plain(source)} cannot read it: ${from} to ${end}: ${plain(detail)}`);
  if (ended !== 'done') {
    const why = ended === 'failed' ? plain(result.problem ?? 'it failed') : WHY[ended];
    lines.push(
      `ended before it was done: ${why}; go on with --from ${upTo} --to ${to}, then some may come twice`,
    );
  }
  return lines;
}

const WHY = {
  stopped: 'it was stopped',
  full: 'the journal has no free room; start the relay, so that its sinks make some',
} as const;
