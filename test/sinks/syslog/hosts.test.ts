import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Connection } from '../../../src/sinks/syslog/connection.ts';
import { type Host, Hosts, hostOf } from '../../../src/sinks/syslog/hosts.ts';

const never = new AbortController().signal;
const [a, b, c] = ['a', 'b', 'c'].map((name) => hostOf(name, 514)) as [Host, Host, Host];

/** Hosts of which the test says which are up. */
function aList(hosts: readonly Host[]) {
  const down = new Set<Host>();
  const tried: string[] = [];
  const said: string[] = [];
  const time = { ms: 0 };
  let destroyed = 0;
  const connect = async (host: Host) => {
    tried.push(host.host);
    if (down.has(host)) throw new UnavailableError(`${host.name} is down`, { reason: 'network' });
    return { host, destroy: () => void destroyed++ } as unknown as Connection;
  };
  const tell = (_: object, message: string) => void said.push(message);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const list = new Hosts(hosts, connect, log, () => time.ms);
  return { list, down, tried, said, time, destroyed: () => destroyed };
}

describe('hostOf()', () => {
  it.each([
    ['siem', 'siem:514'],
    ['192.0.2.1', '192.0.2.1:514'],
    ['2001:db8::1', '[2001:db8::1]:514'],
  ])('names %s', (host, name) => {
    expect(hostOf(host, 514).name).toBe(name);
  });
});

describe('Hosts', () => {
  it('takes the first, and the next one when that fails', async () => {
    const { list, down, tried, said } = aList([a, b, c]);
    expect((await list.dial(never)).host).toBe(a);
    down.add(a).add(b);
    expect((await list.dial(never)).host).toBe(c);
    expect(tried).toEqual(['a', 'a', 'b', 'c']);
    expect(said).toEqual(['goes on with c:514']);
  });

  it('passes over one that broke a connection, and does not try it first again', async () => {
    const { list, tried } = aList([a, b]);
    list.failed(a);
    expect((await list.dial(never)).host).toBe(b);
    expect((await list.dial(never)).host).toBe(b);
    expect(tried).toEqual(['b', 'b']);
  });

  it('still tries those that failed, when no other is left', async () => {
    const { list, down, tried } = aList([a, b]);
    list.failed(a);
    down.add(b);
    expect((await list.dial(never)).host).toBe(a);
    expect(tried).toEqual(['b', 'a']);
  });

  it('says of each why, when none takes a connection', async () => {
    const { list, down } = aList([a, b]);
    down.add(a).add(b);
    await expect(list.dial(never)).rejects.toThrow('a:514 is down. And b:514 is down');
  });

  it('goes back to the first a while after it has come back, and looks for it aside', async () => {
    const { list, down, time, tried, destroyed } = aList([a, b]);
    down.add(a);
    const { host } = await list.dial(never);
    expect(host).toBe(b);
    tried.length = 0;
    expect(list.isBest(b, never)).toBe(true);
    expect(tried).toEqual([]);
    // Still down: looked at once, and then left alone again.
    time.ms = 60_000;
    expect(list.isBest(b, never)).toBe(true);
    expect(list.isBest(b, never)).toBe(true);
    await new Promise(setImmediate);
    expect(tried).toEqual(['a']);
    time.ms = 119_999;
    expect(list.isBest(b, never)).toBe(true);
    expect(tried).toEqual(['a']);
    // Back: the look carries nothing, and after it the first is the better one.
    down.delete(a);
    time.ms = 120_000;
    expect(list.isBest(b, never)).toBe(true);
    await new Promise(setImmediate);
    expect(destroyed()).toBe(1);
    expect(list.isBest(b, never)).toBe(false);
    expect((await list.dial(never)).host).toBe(a);
    expect(list.isBest(a, never)).toBe(true);
  });

  it('S3: leaves one that takes connections and breaks them alone for longer each time, until it confirms', async () => {
    const { list, time, tried } = aList([a, b]);
    const minutes: number[] = [];
    /** Fails, and is tried again after some minutes. */
    const fails = async () => {
      list.failed(a);
      const failedMs = time.ms;
      tried.length = 0;
      while (list.isBest(b, never)) {
        time.ms += 60_000;
        await new Promise(setImmediate);
      }
      // Looked for once, and no more often.
      expect(tried).toEqual(['a']);
      minutes.push((time.ms - failedMs) / 60_000 - 1);
      expect((await list.dial(never)).host).toBe(a);
    };
    for (let round = 0; round < 8; round++) await fails();
    expect(minutes).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    list.works(a);
    await fails();
    expect(minutes.at(-1)).toBe(1);
  });

  it('ends at the signal without blaming the host', async () => {
    const { list, tried } = aList([a, b]);
    const abort = Object.assign(new Error('stopped'), { name: 'AbortError' });
    const stopped = new Hosts(
      [a, b],
      () => Promise.reject(abort),
      { debug() {}, info() {}, warn() {}, error() {} },
      () => 0,
    );
    await expect(stopped.dial(never)).rejects.toBe(abort);
    expect(list.isBest(a, never)).toBe(true);
    expect(tried).toEqual([]);
  });
});
