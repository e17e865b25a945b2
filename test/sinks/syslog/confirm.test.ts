import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { confirmByClose, quietMs } from '../../../src/sinks/syslog/confirm.ts';

const options = { peer: 'siem:514', quietMs: 20, timeoutMs: 1000 };

/** A connection of which the test plays the peer and the kernel. */
function aSocket() {
  let sendFin: (() => void) | undefined;
  const socket = new Duplex({
    allowHalfOpen: false,
    read() {},
    write(_chunk, _encoding, done) {
      done();
    },
    final(done) {
      sendFin = done;
    },
  });
  socket.on('error', () => {}).resume();
  return {
    socket,
    ended: () => sendFin !== undefined,
    /** Our FIN goes out. */
    ourFin: () => sendFin?.(),
    peerFin: () => void socket.push(null),
    reset: () => void socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })),
  };
}

const turn = () => new Promise<void>(setImmediate);

describe('confirmByClose()', () => {
  let peer: ReturnType<typeof aSocket>;
  let verdict: Promise<string>;
  let settled: () => boolean;

  // setImmediate stays real: the two turns of the loop are what is tested.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    peer = aSocket();
    verdict = confirmByClose(peer.socket, options).then(
      () => 'proved',
      (error: unknown) => {
        expect(error).toBeInstanceOf(UnavailableError);
        return String(error);
      },
    );
    let done = false;
    settled = () => done;
    void verdict.then(() => {
      done = true;
    });
  });
  afterEach(() => {
    peer.socket.destroy();
    vi.useRealTimers();
  });

  /** Every state, and how to get there. */
  const states: Record<string, () => Promise<void>> = {
    quiet: async () => {
      vi.advanceTimersByTime(19);
      for (let turns = 0; turns < 4; turns++) await turn();
      expect(peer.ended()).toBe(false);
    },
    looking: async () => {
      vi.advanceTimersByTime(20);
      expect(peer.ended()).toBe(false);
    },
    closing: async () => {
      vi.advanceTimersByTime(20);
      await turn();
      await turn();
      await turn();
      expect(peer.ended()).toBe(true);
    },
    waiting: async () => {
      await states.closing!();
      peer.ourFin();
      await turn();
      expect(settled()).toBe(false);
    },
  };

  it('is proved by the FIN of the peer after ours', async () => {
    await states.waiting!();
    peer.peerFin();
    expect(await verdict).toBe('proved');
  });

  it('is proved by a FIN that crosses ours', async () => {
    await states.closing!();
    peer.ourFin();
    peer.peerFin();
    expect(await verdict).toBe('proved');
  });

  it('waits two turns of the event loop after the quiet time before it closes', async () => {
    vi.advanceTimersByTime(20);
    await turn();
    expect(peer.ended()).toBe(false);
    await turn();
    await turn();
    expect(peer.ended()).toBe(true);
  });

  it.each(['quiet', 'looking', 'closing'])('S1: is not proved by a FIN of the peer in %s', async (state) => {
    await states[state]!();
    peer.peerFin();
    expect(await verdict).toContain('siem:514 closed the connection by itself');
    expect(peer.socket.destroyed).toBe(true);
  });

  it('S1: is not proved by a FIN that had come in before a turn of the loop showed it', async () => {
    // Node hands it out in the first turn after the timer, as from a kernel that had it for long.
    vi.advanceTimersByTime(20);
    setImmediate(peer.peerFin);
    expect(await verdict).toContain('by itself');
    expect(peer.ended()).toBe(false);
  });

  it.each(Object.keys(states))('S1: is not proved by a reset in %s', async (state) => {
    await states[state]!();
    peer.reset();
    expect(await verdict).toMatch(/siem:514 failed: the receiver reset the connection.*ECONNRESET/);
  });

  it.each(Object.keys(states))('is not proved by a close without FIN in %s', async (state) => {
    await states[state]!();
    peer.socket.destroy();
    expect(await verdict).toContain('without a confirmation');
  });

  it.each(['closing', 'waiting'])('S2: ends in %s when the time is up, and lets go', async (state) => {
    await states[state]!();
    vi.advanceTimersByTime(1000);
    expect(await verdict).toContain('within 1000 ms');
    expect(peer.socket.destroyed).toBe(true);
  });

  it('is not proved by a connection that had ended before', async () => {
    const ended = aSocket();
    ended.peerFin();
    await turn();
    await expect(confirmByClose(ended.socket, options)).rejects.toThrow('without a confirmation');
  });

  it('leaves an error after the proof alone', async () => {
    await states.waiting!();
    peer.peerFin();
    await verdict;
    peer.socket.emit('error', new Error('too late'));
    expect(await verdict).toBe('proved');
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
