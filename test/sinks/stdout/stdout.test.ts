import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { isAbort } from '../../../src/lib/wait.ts';
import { StdoutSink } from '../../../src/sinks/stdout/stdout-sink.ts';
import { describeSinkContract, rendered } from '../../contracts/sink.contract.ts';

const never = new AbortController().signal;

/** A pipe of which the reader can go away. */
function aPipe() {
  let text = '';
  let gone = false;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      if (gone) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      text += chunk;
      done();
    },
  });
  return {
    stream,
    text: () => text,
    close: () => {
      gone = true;
    },
  };
}

describeSinkContract('stdout', { confirmsAtOnce: true }, async () => {
  const pipe = aPipe();
  return {
    sink: new StdoutSink(pipe.stream),
    arrived: () => pipe.text().split('\n').slice(0, -1),
    breakDown: pipe.close,
    stop: async () => void pipe.stream.destroy(),
  };
});

/** A pipe whose reader takes nothing until it is told to. */
function aStalledPipe() {
  const written: string[] = [];
  let held: (() => void)[] = [];
  let stalled = true;
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: 1,
    write(chunk: string, _encoding, done) {
      written.push(chunk);
      if (stalled) held.push(done);
      else done();
    },
  });
  return {
    stream,
    text: () => written.join(''),
    read: () => {
      stalled = false;
      const waiting = held;
      held = [];
      for (const done of waiting) done();
    },
  };
}

const lines = (count: number, from = 1) =>
  rendered(count, from)
    .map(({ events }) => `${events[0]}\n`)
    .join('');

describe('StdoutSink', () => {
  /** A send that is let go of, as after a time-out. */
  const abandoned = async (sink: StdoutSink, batch: ReturnType<typeof rendered>) => {
    const stop = new AbortController();
    const sending = sink.send(batch, stop.signal);
    stop.abort();
    await expect(sending).rejects.toSatisfy(isAbort);
    await sink.close();
    await sink.open(never);
  };

  it('waits for a write that is under way, in place of writing the batch again', async () => {
    const pipe = aStalledPipe();
    const sink = new StdoutSink(pipe.stream);
    await sink.open(never);
    for (let tries = 0; tries < 5; tries++) await abandoned(sink, rendered(3));
    // More has come meanwhile: the next try has more in it.
    await abandoned(sink, rendered(5));
    const last = sink.send(rendered(2), never);
    pipe.read();
    expect(await (await last).confirmed).toEqual({ refused: [] });
    await sink.send(rendered(5, 3), never);
    expect(pipe.text()).toBe(lines(7));
  });

  it('knows what was written after its send was let go of, and nobody waited', async () => {
    const pipe = aStalledPipe();
    const sink = new StdoutSink(pipe.stream);
    await sink.open(never);
    await abandoned(sink, rendered(2));
    pipe.read();
    await new Promise(setImmediate);
    await sink.send(rendered(2), never);
    expect(pipe.text()).toBe(lines(2));
    // Told once it is no longer owed: the same record again, by a replay, is written again.
    await sink.send(rendered(2), never);
    expect(pipe.text()).toBe(lines(2) + lines(2));
  });

  it('fails with the write that it waits for', async () => {
    let fail: (error: Error) => void = () => {};
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        fail = done;
      },
    });
    const sink = new StdoutSink(stream);
    await sink.open(never);
    await abandoned(sink, rendered(1));
    const again = sink.send(rendered(1), never);
    fail(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await expect(again).rejects.toThrow('nobody reads it any more (EPIPE)');
  });

  it('tells what to do when nobody reads any more, then and at the next open()', async () => {
    const pipe = aPipe();
    const sink = new StdoutSink(pipe.stream);
    await sink.open(never);
    pipe.close();
    const outcome = await sink.send(rendered(1), never).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(UnavailableError);
    expect(String(outcome)).toContain('nobody reads it any more (EPIPE)');
    await sink.close();
    await expect(sink.open(never)).rejects.toThrow('nobody reads it any more (EPIPE)');
  });

  it('waits for the reader, and is let go by the signal', async () => {
    const stuck = new Writable({ write() {} });
    const sink = new StdoutSink(stuck);
    const stop = new AbortController();
    await sink.open(never);
    const sending = sink.send(rendered(1), stop.signal);
    stop.abort();
    await expect(sending).rejects.toSatisfy(isAbort);
    stuck.destroy();
  });
});
