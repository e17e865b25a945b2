import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { startRsyslog } from '../peers/rsyslog.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { judge, numbered, run, sinkTo, sized, type Verdict } from './delivering-to.ts';

export interface Killing {
  readonly records: number;
  /** Kills it when it has written so many more; or so often, for as long as records flow. */
  readonly kills: { readonly times: number; readonly everyRecords: number } | { readonly everyMs: number };
  /** Most records in a second, so that they flow for long enough; 0: as fast as it goes. */
  readonly maxPerSecond: number;
  /** It has what it acknowledges on file. Else in a queue in memory, as is its default, and a slow disk. */
  readonly direct: boolean;
}

export interface Killed extends Verdict {
  readonly kills: number;
  readonly failures: number;
  readonly window: number;
}

/** Delivers to a real rsyslog by RELP, which is killed again and again meanwhile, and judges what it has on file. */
export async function killReceiver({
  records: count,
  kills,
  maxPerSecond,
  direct,
}: Killing): Promise<Killed> {
  const closers = new Closers();
  onTestFinished(() => closers.close());
  const rsyslog = await startRsyslog({ relp: true, direct, slow: !direct });
  closers.add('rsyslog', { close: () => rsyslog.stop() });
  const sink = await sinkTo(
    { host: '127.0.0.1', port: rsyslog.relpPort },
    { settings: { transport: 'relp' } },
  );
  const records = numbered(count, Math.ceil(count / 5));
  const delivering = run(new MemoryJournal(records), sink, { format: sized(250), maxPerSecond });
  closers.add('delivery', { close: () => delivering.stop('at once') });
  const over = delivering.done().then(() => true);
  let killed = 0;
  const kill = async () => {
    await rsyslog.kill();
    killed += 1;
    await rsyslog.restart();
  };
  if ('everyMs' in kills) {
    while (!(await Promise.race([over, sleep(kills.everyMs, false)]))) await kill();
  } else {
    for (let time = 1; time <= kills.times; time++) {
      await rsyslog.arrived(time * kills.everyRecords);
      await kill();
    }
  }
  await over;
  await delivering.stop('in good order');
  // What is in its queue.
  for (let before = -1; before !== rsyslog.messages().length; await sleep(500))
    before = rsyslog.messages().length;
  const verdict = judge(
    rsyslog.messages().map(({ raw }) => raw),
    records,
  );
  return {
    ...verdict,
    kills: killed,
    failures: delivering.failures.length,
    window: delivering.mostUnconfirmed(),
  };
}
