/**
 * Delivery as the relay runs it, from a journal in memory to real receivers: it breaks off and begins again, without
 * the waits in between. And what came of it, read off what the receivers have read.
 */
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Format } from '../../src/core/format.ts';
import type { Position, Refusal } from '../../src/core/journal.ts';
import type { Log } from '../../src/core/log.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import type { Sink } from '../../src/core/sink.ts';
import { type DeliverOptions, delivery } from '../../src/pipeline/deliver.ts';
import { withTimeout } from '../../src/pipeline/policies/timeout.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { testCertificates } from '../support/certificates.ts';
import type { MemoryJournal } from '../support/memory-journal.ts';
import type { Receiver } from '../support/receiver.ts';
import { aRecord } from '../support/records.ts';

export const START: Position = { cursor: { batch: 1, index: -1 }, stream: 7, sequence: 0 };

/** Records numbered from 1, which is their revision too; every so many ids they begin again with the first. */
export function numbered(count: number, ids = count): RelayRecord[] {
  return Array.from({ length: count }, (_, index) =>
    aRecord({ id: `alert-${index % ids}` }, { revision: BigInt(index + 1) }),
  );
}

/** Events of about so many bytes that say of which record they are. */
export function sized(bytes: number): Format {
  return ({ id, revision }) => [`${id}|${revision}|`.padEnd(bytes, 'x')];
}

/** A sink to a receiver, as the config would make it. */
export async function sinkTo(
  { host, port }: Pick<Receiver, 'host' | 'port'>,
  options: { settings?: object; isTls?: boolean; timeoutMs?: number; log?: Log } = {},
): Promise<Sink> {
  const { settings = {}, isTls = false, timeoutMs = 10_000, log = quiet } = options;
  const { cert } = (await testCertificates()).server.good;
  const tls = { fingerprint: new X509Certificate(cert).fingerprint256 };
  const secure = isTls && { transport: 'tls', framing: 'lf', tls };
  const parsed = syslog.schema.parse({ type: 'syslog', host, port, ...secure, ...settings });
  return withTimeout(syslog.create(parsed, { name: 'siem', log, timeoutMs }), timeoutMs);
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Run {
  /** Why sessions ended, in order. */
  readonly failures: readonly UnavailableError[];
  readonly refusals: readonly Refusal[];
  /** Most records that were out at a time and not confirmed. */
  mostUnconfirmed(): number;
  /** Resolves when everything in the journal is settled. */
  done(): Promise<void>;
  /** Ends it: with a last confirmation, or, as the death of a process would, without. */
  stop(how: 'in good order' | 'at once'): Promise<void>;
}

/** Begins to deliver. Time passes by itself, and by what a failure asks to wait. */
export function run(
  journal: MemoryJournal,
  sink: Sink,
  options: Partial<DeliverOptions> & Pick<DeliverOptions, 'format'>,
): Run {
  const failures: UnavailableError[] = [];
  const refusals: Refusal[] = [];
  const soft = new AbortController();
  const hard = new AbortController();
  let mostUnconfirmed = 0;
  let waitedMs = 0;
  const nothing = () => {};
  const session = delivery({
    name: 'siem',
    sink,
    match: {},
    selfEvents: true,
    journal,
    from: START,
    batchSize: 200,
    window: { records: 10_000, bytes: 32 * 2 ** 20 },
    maxInFlight: 1,
    maxEventBytes: 8000,
    maxPerSecond: 0,
    now: () => performance.now() + waitedMs,
    observer: {
      connected: nothing,
      sent: nothing,
      delivered: nothing,
      refused: (given) => void refusals.push(...given),
      filtered: nothing,
      unconfirmed(records) {
        mostUnconfirmed = Math.max(mostUnconfirmed, records);
      },
    },
    ...options,
  });
  const sessions = async () => {
    while (!soft.signal.aborted) {
      await session({ soft: soft.signal, hard: hard.signal }, nothing).catch((error: unknown) => {
        if (soft.signal.aborted) return;
        if (!(error instanceof UnavailableError)) throw error;
        failures.push(error);
        waitedMs += error.retryAfterMs ?? 0;
      });
      await sleep(20);
    }
  };
  const ended = sessions();
  // Whoever waits for it hears of it.
  ended.catch(() => {});
  return {
    failures,
    refusals,
    mostUnconfirmed: () => mostUnconfirmed,
    async done() {
      const over = ended.then(() => true);
      const isOver = () => Promise.race([over, sleep(20, false)]);
      while (journal.cursor.index < journal.records.length - 1)
        if (await isOver()) throw new Error('it ended before all was delivered');
    },
    async stop(how) {
      soft.abort();
      if (how === 'at once') hard.abort();
      await ended;
    },
  };
}

/** Where a process that is started again would go on: after what was settled, and no further. */
export function positionOf({ advances }: MemoryJournal): Position {
  const last = advances.at(-1);
  return last ? { ...START, cursor: last.cursor, sequence: last.sequence } : START;
}

export interface Verdict {
  /** Records of which no event was read. */
  readonly lost: number;
  readonly repeated: number;
  /** Most repeats on end. */
  readonly longestRun: number;
  /** Ids of which the last copy is not the newest revision. */
  readonly outOfOrder: number;
  /** Events that had another running number before, and numbers that had another event. */
  readonly renumbered: number;
}

/** Judges events, in the order in which they were read, of `records` as {@link numbered} and {@link sized} make them. */
export function judge(events: readonly string[], records: readonly RelayRecord[]): Verdict {
  const read = events.map((event) => {
    const [, number, id, revision] = /sequenceId="(\d+)"\] ([^|]+)\|(\d+)\|x*$/.exec(event) ?? [];
    if (!number || !id || !revision) throw new Error(`not a whole event: ${event.slice(0, 200)}`);
    return { number, id, revision };
  });
  const seen = new Set<string>();
  let run = 0;
  let longestRun = 0;
  for (const { revision } of read) {
    run = seen.has(revision) ? run + 1 : 0;
    longestRun = Math.max(longestRun, run);
    seen.add(revision);
  }
  const lastOf = new Map(read.map(({ id, revision }) => [id, revision]));
  const newestOf = new Map(records.map(({ id, revision }) => [id, String(revision)]));
  const pairs = new Set(read.map(({ number, revision }) => `${number} ${revision}`));
  const numbers = new Set(read.map(({ number }) => number));
  return {
    lost: records.filter(({ revision }) => !seen.has(String(revision))).length,
    repeated: read.length - seen.size,
    longestRun,
    outOfOrder: [...lastOf].filter(([id, revision]) => newestOf.get(id) !== revision).length,
    renumbered: 2 * pairs.size - seen.size - numbers.size,
  };
}
