import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Log } from '../../src/core/log.ts';
import type { Page, Source } from '../../src/core/source.ts';
import { isAbort, wait } from '../../src/lib/wait.ts';
import { ingest } from '../../src/pipeline/ingest.ts';
import { restarted } from '../../src/pipeline/restarted.ts';
import {
  DEFAULT_PROBABILITY,
  type FaultName,
  type Faults,
  faultNames,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../../src/simulator/index.ts';
import { KeepingJournal } from '../support/keeping-journal.ts';
import { collectLog } from '../support/log.ts';
import { judge } from '../support/oracle.ts';
import { cefId, ticks } from '../support/received.ts';

/**
 * Time of the simulator and of what reads it: it runs so much faster than ours. The test that runs the contract has
 * to make `lib/wait.ts` wait by it, too.
 */
export const SPEED = 60;
const begunMs = Date.now();
export const steady = (): number => performance.now() * SPEED;
const origin = steady();
export const now = (): number => begunMs + (steady() - origin);

/** What a source is made with, for a simulated tenant. */
export interface SourceWorld {
  readonly simulator: Simulator;
  /** A folder that is gone at the test's end. */
  readonly folder: string;
  readonly log: Log;
}

export interface SourceHarness {
  /** Name of the source in the journal. */
  readonly name: string;
  /** By {@link now}'s time. */
  readonly everyMs: number;
  /** Makes the source anew, as a process does that has just started; `end` lets go of all of it. */
  open(world: SourceWorld): { readonly source: Source; end(): Promise<void> };
  /** Whether less has been read at checkpoint `b` than at `a`. */
  isBehind(b: string, a: string): boolean;
}

/** Requests that Graph allows in a minute. */
const QUOTA = 150;

/** What is judged apart, because something is missing on purpose while they are on. */
const apart: readonly FaultName[] = ['poison-page', 'outage', 'quota', 'count-off', 'unrevised'];

/** With one in twenty they would hardly strike in so short a time. */
const probabilities: Faults = {
  throttle: 0.2,
  unavailable: 0.2,
  errors: 0.2,
  // These cost time of ours, which is not sped up.
  timeout: 0.06,
  'mute-authority': 0.1,
  reset: 0.2,
  truncate: 0.2,
  html: 0.2,
  'expire-token': 0.2,
  'big-page': 0.1,
  quota: 1,
  partial: 0.2,
  'count-off': 0.2,
  'skip-limit': 1,
  ties: 1,
  leave: 0.5,
  'shift-pages': 0.5,
  future: 0.1,
  update: 0.3,
  unrevised: 0.3,
  late: 0.3,
  'very-late': 0.1,
};

/** What a fault needs of the simulator to strike at all. */
const grounds: Partial<Record<FaultName, SimulatorOptions>> = {
  // So near to its end a token is not used again.
  'mute-authority': { tokenSeconds: 60 },
  // Less than a tie has, more than any product has in it.
  'skip-limit': { backlog: 300, backlogTies: 220, skipLimit: 150 },
};

/** So often a fault has to strike before its test may end. */
const STRIKES = 3;
const strikesOf = (fault: FaultName): number => (fault === 'ties' ? 1 : STRIKES);

/** The same with all faults at once, where each has to strike once; there a tie is within the skip limit. */
const together: Faults = {
  ...Object.fromEntries(
    faultNames
      .filter((fault) => !apart.includes(fault) && fault !== 'skip-limit')
      .map((fault) => [fault, DEFAULT_PROBABILITY]),
  ),
  ties: 1,
  leave: 0.3,
  'shift-pages': 0.3,
  timeout: 0.02,
  'mute-authority': 0.3,
};

/** What every source promises, as code (rules R1 to R9). */
export function describeSourceContract(name: string, harness: SourceHarness): void {
  /** A simulated tenant and the first half of a relay in front of it: source, ingest, journal. */
  const scene = async ({ onTestFinished }: TestContext, options: SimulatorOptions = {}) => {
    const simulator = await startSimulator({
      clock: now,
      seed: 20261124,
      backlog: 200,
      backlogTies: 120,
      backlogSpanMs: 12 * 3_600_000,
      alerts: 100,
      rate: 4,
      ties: 120,
      maxTop: 100,
      skipLimit: 500,
      veryLateMs: [90_000, 240_000],
      ...options,
    });
    const relay = new Relay(simulator, harness);
    onTestFinished(async () => {
      await relay.close();
      await simulator.close();
    });
    await relay.start();
    return { simulator, relay };
  };

  describe.concurrent(`${name} source contract`, { timeout: 115_000 }, () => {
    it.for([1, 2])('with all faults at once, and restarts (%s)', async (seed, test) => {
      const faults = { ...together, 'skip-limit': DEFAULT_PROBABILITY };
      const { simulator, relay } = await scene(test, { seed, faults });
      for (let count = 0; count < 5; count++) {
        // At any moment; it comes about by the machine's own unrest where in a reading that is.
        await wait(8_000 * (1 + Math.random()));
        await relay.restart();
      }
      const missing = () =>
        faultNames.filter((fault) => fault in together && (simulator.strikes.get(fault) ?? 0) === 0);
      await relay.until(() => missing().length === 0);
      expect(await relay.settled()).toEqual(asOwed);
      expect(missing()).toEqual([]);
    });

    it('R5, G8: what cannot be read becomes a dead letter while all else arrives, and is read when it can be', async (test) => {
      const { simulator, relay } = await scene(test, { faults: { update: 0.2 } });
      const middle = simulator.account.raised[50]!.revision;
      simulator.poison(middle);
      expect(await relay.settled()).toEqual(asOwed);
      expect(relay.deadLetters).toBe(1);
      const id = cefId(simulator.account.raised[50]!.id);
      expect(relay.received.map((event) => event.id)).not.toContain(id);
      simulator.poison(undefined);
      expect(await relay.settled()).toEqual(asOwed);
      await relay.until(() => relay.deadLetters === 0);
      expect(relay.received).toContainEqual(expect.objectContaining({ id, revision: ticks(middle) }));
    });

    it('G11, G16: begins again where it was, however often it is ended', async (test) => {
      const { relay } = await scene(test, { backlog: 2_000, alerts: 0, rate: 1 });
      while (relay.restarts < 8) {
        await relay.until(() => relay.pages % 4 === 3 || relay.rests > 3);
        await relay.restart();
      }
      expect(await relay.settled()).toEqual(asOwed);
    });

    it('without a fault: what is owed arrives, once, and the quota holds', async (test) => {
      const { simulator, relay } = await scene(test);
      expect(await relay.settled()).toEqual(asOwed);
      expect(simulator.account.throttled).toBe(0);
      expect(relay.deadLetters).toBe(0);
    });

    const alone = faultNames.filter((fault) => fault !== 'poison-page');
    it.for(alone)(
      'with the fault %s: what is owed arrives, once, and the quota holds',
      async (fault, test) => {
        const probability = probabilities[fault] ?? DEFAULT_PROBABILITY;
        const faults = { [fault]: probability };
        const { simulator, relay } = await scene(test, { faults, ...grounds[fault] });
        const strikes = () => simulator.strikes.get(fault) ?? 0;
        const isSlowedDown = () => fault !== 'quota' || simulator.account.throttled > 0;
        await relay.until(() => strikes() >= strikesOf(fault) && isSlowedDown());
        expect(await relay.settled()).toEqual(asOwed);
        expect(strikes()).toBeGreaterThanOrEqual(strikesOf(fault));
        expect(isSlowedDown()).toBe(true);
      },
    );
  });
}

/** Nothing is lost, told twice, out of order, made up, read again after it was done, or asked too fast. */
const asOwed = {
  lost: [],
  duplicated: 0,
  outOfOrder: [],
  unknown: [],
  backwards: 0,
  tooFast: false,
};

/** A relay without its sinks. */
class Relay {
  readonly #journal = new KeepingJournal();
  readonly #simulator: Simulator;
  readonly #harness: SourceHarness;
  readonly #folder = mkdtempSync(join(tmpdir(), 'source-contract-'));
  readonly #log = collectLog();
  readonly #ends: number[] = [];
  #checkpoint: string | undefined;
  #backwards = 0;
  #end: (() => Promise<void>) | undefined;
  pages = 0;
  readonly #latest = performance.now() + 100_000;
  /** Readings that came to their end. */
  rests = 0;
  restarts = 0;

  constructor(simulator: Simulator, harness: SourceHarness) {
    this.#simulator = simulator;
    this.#harness = harness;
  }

  async start(): Promise<void> {
    const log = this.#log;
    const { name, everyMs } = this.#harness;
    const { source, end } = this.#harness.open({ simulator: this.#simulator, folder: this.#folder, log });
    const stop = new AbortController();
    const task = (healthy: () => void) =>
      ingest(
        {
          name,
          source,
          journal: this.#journal,
          everyMs,
          updates: 'all',
          observer: {
            kept: (page) => this.#kept(page),
            read: () => {
              this.rests += 1;
            },
          },
        },
        stop.signal,
        healthy,
      );
    const running = restarted(task, {
      log,
      backoff: { initialMs: 1_000, maxMs: 10_000 },
      now,
      random: Math.random,
      signal: stop.signal,
      failed: () => {},
    });
    this.#end = async () => {
      this.#ends.push(now());
      stop.abort();
      await running.catch((error: unknown) => {
        if (!isAbort(error)) throw error;
      });
      await end();
    };
  }

  #kept({ checkpoint }: Page): void {
    this.pages += 1;
    const before = this.#checkpoint;
    if (before !== undefined && this.#harness.isBehind(checkpoint, before)) this.#backwards += 1;
    this.#checkpoint = checkpoint;
  }

  async #stop(): Promise<void> {
    const end = this.#end;
    this.#end = undefined;
    await end?.();
  }

  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async restart(): Promise<void> {
    await this.#stop();
    this.restarts += 1;
    await this.start();
  }

  get deadLetters(): number {
    return this.#journal.unread.size;
  }

  get received() {
    return this.#journal.kept.map((record) => ({ ...record, id: cefId(record.id), part: '' }));
  }

  /** Waits until something holds, as long as the test has time: better to say what is missing than that it took long. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds() && performance.now() < this.#latest) await wait(15_000);
  }

  /** The verdict when everything has been raised, changed and read, or does not come. */
  async settled() {
    const { account } = this.#simulator;
    await this.until(() => account.pending === 0);
    this.#simulator.stopRaising();
    await this.until(() => judge(account, this.received, this.#ends).lost.length === 0);
    // What comes twice comes with the next readings.
    const rests = this.rests + 3;
    await this.until(() => this.rests >= rests);
    const { lost, duplicated, outOfOrder, unknown } = judge(account, this.received, this.#ends);
    const tooFast = account.busiestMinute > QUOTA;
    return { lost, duplicated, outOfOrder, unknown, backwards: this.#backwards, tooFast };
  }
}
