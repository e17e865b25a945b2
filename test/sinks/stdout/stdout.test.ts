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

describe('StdoutSink', () => {
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
