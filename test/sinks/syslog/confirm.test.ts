import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Acknowledgement } from '../../../src/sinks/syslog/acknowledged.ts';
import { confirmByClose, type Event, quietMs, type State, step } from '../../../src/sinks/syslog/confirm.ts';
import type { Connection, Happening, Listener } from '../../../src/sinks/syslog/connection.ts';
import { explain } from '../../../src/sinks/syslog/explain.ts';
import { hostOf } from '../../../src/sinks/syslog/hosts.ts';

const events: readonly Event[] = [
  'our-fin',
  'goodbye',
  'their-fin',
  'error',
  'gone',
  'quiet-over',
  'looked',
  'time-up',
  'acknowledged',
  'ended',
  'unknown',
];
const PROOF: readonly Event[] = ['quiet-over', 'looked', 'acknowledged', 'our-fin', 'their-fin'];

/** All sequences of `length` events. */
function* sequences(length: number): Generator<readonly Event[]> {
  if (length === 0) return yield [];
  for (const rest of sequences(length - 1)) for (const event of events) yield [...rest, event];
}

describe('step()', () => {
  const run = (sequence: readonly Event[]) => sequence.reduce<State>(step, 'quiet');

  it('S1: proves by quiet, two turns, acknowledgement, our end mark, and their FIN, in this order', () => {
    expect(run(PROOF)).toBe('proved');
    expect(run(PROOF.with(2, 'unknown'))).toBe('proved');
    expect(run(PROOF.with(2, 'ended'))).toBe('unproved');
  });

  it('S1: proves by no other sequence of up to six events', () => {
    const ends: readonly Event[] = ['goodbye', 'their-fin', 'error', 'gone', 'time-up'];
    let proving = 0;
    for (const sequence of sequences(6)) {
      if (run(sequence) !== 'proved') continue;
      proving += 1;
      const said = sequence.map((event): Event => (event === 'unknown' ? 'acknowledged' : event));
      let at = -1;
      for (const mark of PROOF) {
        const next = said.indexOf(mark, at + 1);
        if (next < 0) throw new Error(`proved without ${mark}: ${sequence.join(', ')}`);
        // Until our end mark is out any end spoils it; after that all but a goodbye does.
        const between = said.slice(at + 1, next);
        const spoilt = between.find(
          (event) => ends.includes(event) && !(mark === 'their-fin' && event === 'goodbye'),
        );
        if (spoilt) throw new Error(`proved in spite of ${spoilt}: ${sequence.join(', ')}`);
        at = next;
      }
    }
    expect(proving).toBeGreaterThan(50);
  });

  it('stays at a verdict', () => {
    for (const event of events) {
      expect(step('proved', event)).toBe('proved');
      expect(step('unproved', event)).toBe('unproved');
    }
  });

  it('is not proved by a goodbye of TLS: it may be said with our data unread', () => {
    expect(run(['quiet-over', 'looked', 'unknown', 'our-fin', 'goodbye'])).toBe('waiting');
    expect(run(['quiet-over', 'looked', 'unknown', 'our-fin', 'goodbye', 'error'])).toBe('unproved');
    expect(run(['quiet-over', 'looked', 'unknown', 'our-fin', 'goodbye', 'gone'])).toBe('unproved');
  });
});

/** A connection of which the test plays the peer and the kernel. */
class Played implements Connection {
  readonly suspicion = '';
  readonly host = hostOf('siem', 514);
  readonly connectMs = 1;
  readonly sentBytes = 0;
  readonly tuple = { localAddress: '127.0.0.1', localPort: 1, remoteAddress: '127.0.0.1', remotePort: 2 };
  readonly #listeners = new Set<Listener>();
  alive = true;
  closed = false;
  destroyed = false;
  isAlive = () => this.alive;
  write = () => Promise.resolve();
  halfClose = () => {
    this.closed = true;
  };
  destroy = () => {
    this.destroyed = true;
  };
  explain = (doing: string, cause: unknown) => explain(this.host.name, doing, cause);
  listen = (listener: Listener) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  get listeners() {
    return this.#listeners.size;
  }
  happens(happening: Happening, cause?: unknown) {
    for (const listener of this.#listeners) listener(happening, cause);
  }
}

const turn = () => new Promise<void>(setImmediate);
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

describe('confirmByClose()', () => {
  let peer: Played;
  let verdict: Promise<string>;
  let acknowledged: Promise<Acknowledgement>;
  let answer: (said: Acknowledgement) => void;

  const begin = (quietMs = 20) => {
    const options = { quietMs, timeoutMs: 1000, hint: ' (a hint)', acknowledged: () => acknowledged };
    verdict = confirmByClose(peer, options).then(
      () => 'proved',
      (error: unknown) => {
        expect(error).toBeInstanceOf(UnavailableError);
        return String(error);
      },
    );
  };

  // setImmediate stays real: the two turns of the loop are what is tested.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    ({ promise: acknowledged, resolve: answer } = Promise.withResolvers<Acknowledgement>());
    peer = new Played();
    begin();
  });
  afterEach(() => vi.useRealTimers());

  /** Every state, and how to get there. */
  const states = {
    quiet: async () => {
      vi.advanceTimersByTime(19);
      for (let turns = 0; turns < 4; turns++) await turn();
      expect(peer.closed).toBe(false);
    },
    looking: async () => {
      vi.advanceTimersByTime(20);
      expect(peer.closed).toBe(false);
    },
    draining: async () => {
      vi.advanceTimersByTime(20);
      for (let turns = 0; turns < 3; turns++) await turn();
      expect(peer.closed).toBe(false);
    },
    closing: async () => {
      await states.draining();
      answer('acknowledged');
      await turn();
      expect(peer.closed).toBe(true);
    },
    waiting: async () => {
      await states.closing();
      peer.happens('our-fin');
    },
  };
  const all = Object.keys(states) as (keyof typeof states)[];

  it('is proved by the FIN of the peer after ours', async () => {
    await states.waiting();
    peer.happens('their-fin');
    expect(await verdict).toBe('proved');
    expect(peer.destroyed).toBe(false);
    expect(peer.listeners).toBe(0);
  });

  it('is proved so, too, where the kernel cannot be asked', async () => {
    await states.draining();
    answer('unknown');
    await turn();
    peer.happens('our-fin');
    peer.happens('their-fin');
    expect(await verdict).toBe('proved');
  });

  it('S1: does not close before all is acknowledged, and not when the kernel has seen an end', async () => {
    await states.draining();
    answer('ended');
    expect(await verdict).toContain('siem:514 closed the connection by itself');
    expect(peer.closed).toBe(false);
  });

  it('waits two turns of the event loop after the quiet time before it asks', async () => {
    answer('acknowledged');
    vi.advanceTimersByTime(20);
    await turn();
    expect(peer.closed).toBe(false);
    await turn();
    await turn();
    expect(peer.closed).toBe(true);
  });

  it.each(['quiet', 'looking', 'draining', 'closing'] as const)(
    'S1: is not proved by an end in %s',
    async (state) => {
      await states[state]();
      peer.happens('their-fin');
      expect(await verdict).toMatch(/siem:514 closed the connection by itself.* \(a hint\)/);
      expect(peer.destroyed).toBe(true);
    },
  );

  it('S1: is not proved by a FIN that had come in before a turn of the loop showed it', async () => {
    // Node hands it out in the first turn after the timer, as from a kernel that had it for long.
    vi.advanceTimersByTime(20);
    setImmediate(() => peer.happens('their-fin'));
    expect(await verdict).toContain('by itself');
    expect(peer.closed).toBe(false);
  });

  it.each(all)('S1: is not proved by a reset in %s', async (state) => {
    await states[state]();
    peer.happens('error', reset);
    expect(await verdict).toMatch(/siem:514 failed: the receiver reset the connection.*ECONNRESET/);
    expect(peer.listeners).toBe(0);
  });

  it.each(all)('is not proved by a close without FIN in %s', async (state) => {
    await states[state]();
    peer.happens('gone');
    expect(await verdict).toContain('without a confirmation');
  });

  it.each(all)('S2: ends in %s when the time is up, and lets go', async (state) => {
    await states[state]();
    vi.advanceTimersByTime(1020);
    expect(await verdict).toContain('within the time-out');
    expect(peer.destroyed).toBe(true);
  });

  it('S2: has its time after the quiet time, and may be quiet for longer than that', async () => {
    peer = new Played();
    begin(3000);
    answer('acknowledged');
    vi.advanceTimersByTime(3000);
    for (let turns = 0; turns < 4; turns++) await turn();
    peer.happens('our-fin');
    vi.advanceTimersByTime(999);
    peer.happens('their-fin');
    expect(await verdict).toBe('proved');
  });

  it('is not proved by a connection that had ended before', async () => {
    peer = new Played();
    peer.alive = false;
    begin();
    expect(await verdict).toContain('without a confirmation');
  });
});

describe('quietMs()', () => {
  it.each([
    [0.3, 20],
    [10, 20],
    [150, 300],
  ])('after a connect of %d ms it is %d ms', (connectMs, expected) => {
    expect(quietMs(connectMs)).toBe(expected);
  });
});
