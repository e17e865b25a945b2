import { describe, expect, it } from 'vitest';
import type { JournalStats } from '../../src/core/journal.ts';
import { problemsOf } from '../../src/observe/readiness.ts';
import { Vitals } from '../../src/observe/vitals.ts';

const MINUTE = 60_000;

const stats = (overrides: Partial<JournalStats> = {}): JournalStats => ({
  pending: 0,
  records: 0,
  bytes: 2 ** 20,
  limitBytes: 2 ** 30,
  paused: false,
  sinks: [{ name: 'siem', pending: 0, oldestPendingMs: undefined }],
  deadLetters: [],
  ...overrides,
});
const waiting = stats({ sinks: [{ name: 'siem', pending: 4, oldestPendingMs: 1 }] });

/** A relay with one source that polls each minute and one sink, both well. */
function scene() {
  const clock = { now: 0, steady: 0 };
  const vitals = new Vitals({ now: () => clock.now, steady: () => clock.steady });
  const source = vitals.source({ name: 'alerts', tenant: 'contoso', type: 'graph-alerts', everyMs: MINUTE });
  const sink = vitals.sink('siem', {});
  source.healthy();
  sink.connected(true);
  return {
    vitals,
    source,
    sink,
    pass(ms: number) {
      clock.steady += ms;
      // Whatever somebody does to the clock of the machine.
      clock.now -= 1_000 * ms;
    },
    problems: (found: JournalStats | undefined = stats()) =>
      problemsOf(vitals, found, vitals.moment()).map(({ message }) => message),
  };
}

describe('problemsOf()', () => {
  it('is ready when all is well', () => {
    expect(scene().problems()).toEqual([]);
  });

  it('is not ready before each source has had a good answer', () => {
    const { vitals, pass, problems } = scene();
    const late = vitals.source({ name: 'late', tenant: 'fabrikam', type: 'graph-alerts', everyMs: MINUTE });
    pass(12_000);
    expect(problems()).toEqual(['source late (tenant fabrikam): nothing read since the start 12s ago']);
    late.failed('auth', 'the secret has expired');
    expect(problems()).toEqual([
      'source late (tenant fabrikam): nothing read since the start 12s ago: the secret has expired',
    ]);
    late.healthy();
    expect(problems()).toEqual([]);
  });

  it('G12: is not ready when nothing good came for five times `every`, and says why', () => {
    const { source, pass, problems } = scene();
    source.failed('network', 'an old failure');
    pass(1);
    source.healthy();
    pass(5 * MINUTE);
    expect(problems()).toEqual([]);
    pass(1_000);
    expect(problems()).toEqual(['source alerts (tenant contoso): nothing read for 5m 1s']);
    source.failed('throttled', 'Graph is throttling');
    expect(problems()).toEqual([
      'source alerts (tenant contoso): nothing read for 5m 1s: Graph is throttling',
    ]);
  });

  it('is not ready while the journal is full, and says for whom; that sources pause is no news then', () => {
    const { pass, problems } = scene();
    pass(60 * MINUTE);
    const sinks = [
      { name: 'siem', pending: 4, oldestPendingMs: 1 },
      { name: 'archive', pending: 4_711, oldestPendingMs: 1 },
    ];
    expect(problems(stats({ paused: true, bytes: 2 ** 30, sinks }))).toEqual([
      'journal: full (1 GiB of 1 GiB), all sources pause; most of it waits for sink archive',
    ]);
  });

  it('F2: is ready when a sink that is not required is down, and never says that sources pause for it', () => {
    const { sink, source, pass, problems } = scene();
    sink.connected(false);
    pass(60 * MINUTE);
    source.healthy();
    const lake = { name: 'siem', pending: 9, oldestPendingMs: 1, required: false } as const;
    expect(problems(stats({ sinks: [lake] }))).toEqual([]);
    const sinks = [lake, { name: 'archive', pending: 4, oldestPendingMs: 1 }];
    expect(problems(stats({ paused: true, bytes: 2 ** 30, sinks }))).toEqual([
      expect.stringMatching(/most of it waits for sink archive$/),
    ]);
  });

  it('is not ready when a sink has been disconnected for five minutes', () => {
    const { sink, source, pass, problems } = scene();
    sink.connected(false);
    pass(5 * MINUTE);
    source.healthy();
    expect(problems()).toEqual([]);
    sink.failed('network', 'nobody listens');
    pass(1_000);
    expect(problems()).toEqual(['sink siem: down for 5m 1s: nobody listens']);
    sink.connected(true);
    expect(problems()).toEqual([]);
  });

  it('is not ready when a sink connects each time and never gets anything delivered', () => {
    const { sink, source, pass, problems } = scene();
    sink.failed('timeout', 'no answer');
    for (let minute = 0; minute < 6; minute++) {
      pass(MINUTE);
      sink.connected(false);
      sink.connected(true);
      source.healthy();
    }
    // What has nothing to do may be well.
    expect(problems()).toEqual([]);
    expect(problems(waiting)).toEqual(['sink siem: down for 6m: no answer']);
    sink.healthy();
    expect(problems(waiting)).toEqual([]);
  });

  it('is not ready when the journal does not answer', () => {
    const { vitals } = scene();
    expect(problemsOf(vitals, undefined, vitals.moment())).toEqual([
      { part: 'journal', message: 'journal: it does not answer' },
    ]);
  });

  it('is not ready while it stops', () => {
    const { vitals, problems } = scene();
    vitals.stop();
    expect(problems()).toEqual(['the relay is stopping']);
  });
});
