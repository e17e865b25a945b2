import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Decoder,
  encode,
  type Frame,
  MAX_ANSWER_BYTES,
  MAX_TXNR,
  NoFrameError,
} from '../../../../src/sinks/syslog/relp/frame.ts';

const text = (frame: Frame) => ({ ...frame, data: frame.data.toString('utf8') });
const decoded = (...chunks: (string | Buffer)[]) => {
  const decoder = new Decoder();
  return chunks.flatMap((chunk) => [...decoder.push(Buffer.from(chunk))].map(text));
};

describe('encode()', () => {
  it.each([
    [{ txnr: 1, command: 'open', data: 'a\nb' }, '1 open 3 a\nb\n'],
    [{ txnr: 2, command: 'syslog', data: 'é' }, '2 syslog 2 é\n'],
    [{ txnr: MAX_TXNR, command: 'close', data: '' }, '999999999 close 0\n'],
  ])('makes %j a frame', ({ data, ...frame }, expected) => {
    expect(encode({ ...frame, data: Buffer.from(data) }).toString()).toBe(expected);
  });
});

describe('Decoder', () => {
  it('takes the example of the specification apart', () => {
    const offers = 'relp_version=0\nrelp_software=librelp,1.12.0,http://librelp.adiscon.com\ncommands=syslog';
    expect(decoded(`1 rsp 93 200 OK\n${offers}\n2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n`)).toEqual([
      { txnr: 1, command: 'rsp', data: `200 OK\n${offers}` },
      { txnr: 2, command: 'rsp', data: '200 OK' },
      { txnr: 3, command: 'rsp', data: '' },
      { txnr: 0, command: 'serverclose', data: '' },
    ]);
  });

  it.each([
    ['HTTP/1.1 400 Bad Request\r\n'],
    ['\n'],
    [' 1 rsp 0\n'],
    ['1234567890 rsp 0\n'],
    [`1 ${'a'.repeat(33)} 0\n`],
    ['1 r5p 0\n'],
    ['1  0\n'],
    ['1 rsp x\n'],
    ['1 rsp 1234567890\n'],
    [`1 rsp ${MAX_ANSWER_BYTES + 1} `],
    ['1 rsp 999999999 200 OK\n'],
    ['1 rsp 0 \n'],
    ['1 rsp 6\n200 OK\n'],
    ['1 rsp 6 200 OK.\n'],
    ['1 rsp -1 \n'],
  ])('S4: takes %j for no frame, whole or byte by byte', (garbage) => {
    expect(() => decoded(garbage)).toThrow(NoFrameError);
    expect(() => decoded(...garbage)).toThrow(NoFrameError);
  });

  it('gives what came before garbage', () => {
    const frames: Frame[] = [];
    const push = () => {
      for (const frame of new Decoder().push(Buffer.from('1 rsp 6 200 OK\nxyz'))) frames.push(frame);
    };
    expect(push).toThrow(NoFrameError);
    expect(frames).toHaveLength(1);
  });

  const frame = fc.record({
    txnr: fc.integer({ min: 0, max: MAX_TXNR }),
    command: fc.stringMatching(/^[A-Za-z]{1,32}$/),
    data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });

  /** `bytes` in pieces, cut at any places. */
  const cut = (bytes: Buffer, places: readonly number[]) => {
    const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
    return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  };

  it('gives back what was put in, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat()), (frames, places) => {
        const decoder = new Decoder();
        const found = cut(Buffer.concat(frames.map(encode)), places).flatMap((chunk) => [
          ...decoder.push(chunk),
        ]);
        expect(found).toEqual(frames);
        expect(decoder.heldBytes).toBe(0);
      }),
    );
  });

  it('S4: never holds more than one answer, and fails in one way only, whatever comes', () => {
    const piece = fc.oneof(
      frame.map(encode),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.stringMatching(/^[0-9a-z \n]{0,60}$/).map((characters) => Buffer.from(characters)),
      fc.constant(Buffer.from(`1 rsp ${MAX_ANSWER_BYTES} ${'x'.repeat(MAX_ANSWER_BYTES)}`)),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const decoder = new Decoder();
        try {
          for (const chunk of pieces) {
            for (const { data } of decoder.push(chunk))
              expect(data.length).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
            expect(decoder.heldBytes).toBeLessThanOrEqual(MAX_ANSWER_BYTES + 60);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(NoFrameError);
        }
      }),
    );
  });
});
