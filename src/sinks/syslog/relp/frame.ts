/**
 * `TXNR SP COMMAND SP DATALEN [SP DATA] LF`: all that RELP consists of.
 *
 * @see https://github.com/rsyslog/librelp/blob/master/doc/relp.html
 */
export interface Frame {
  /** Says which command is answered; 0 is a hint, which nobody answers. */
  readonly txnr: number;
  readonly command: string;
  readonly data: Buffer;
}

/** Goes round from here to 1. */
export const MAX_TXNR = 999_999_999;

/** Most bytes of data that a receiver has to say to us: its offers, or 80 characters of text. */
export const MAX_ANSWER_BYTES = 8192;

/** Digits, letters, digits: TXNR, COMMAND and DATALEN at their longest, and what ends them. */
const MAX_HEAD_BYTES = 9 + 1 + 32 + 1 + 9 + 1;
const HEAD = /^(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})([ \n])/;
/** What may yet become a head. */
const BEGUN = /^\d{0,9}(?:(?<=\d) (?:[A-Za-z]{1,32}(?: \d{0,9})?)?)?$/;
const LF = 0x0a;

/** What came is no RELP. There is no way to find the next frame behind it. */
export class NoFrameError extends Error {
  override name = 'NoFrameError';
}

/** A frame as it goes over the wire. */
export function encode({ txnr, command, data }: Frame): Buffer {
  const head = `${txnr} ${command} ${data.length}`;
  if (data.length === 0) return Buffer.from(`${head}\n`, 'latin1');
  return Buffer.concat([Buffer.from(`${head} `, 'latin1'), data, Buffer.of(LF)]);
}

/** Takes frames out of a stream, however that is cut. What it holds on to is bounded, whatever comes. */
export class Decoder {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes of a frame that has not come in whole. */
  get heldBytes(): number {
    return this.#rest.length;
  }

  /**
   * The frames that `chunk` completes, one by one: what came before garbage is given before it is complained about.
   *
   * @throws {NoFrameError}
   */
  *push(chunk: Buffer): Generator<Frame, void> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let taken = take(bytes); taken; taken = take(bytes)) {
      bytes = bytes.subarray(taken.length);
      yield taken.frame;
    }
    // A copy: a slice would keep all of a large chunk in memory.
    this.#rest = Buffer.from(bytes);
  }
}

/** The frame that `bytes` begin with; `undefined` when it has not come in whole. */
function take(bytes: Buffer): { readonly frame: Frame; readonly length: number } | undefined {
  const text = bytes.toString('latin1', 0, MAX_HEAD_BYTES);
  const [head, txnr, command, digits, end] = HEAD.exec(text) ?? [];
  if (head === undefined || command === undefined) {
    if (BEGUN.test(text)) return undefined;
    throw new NoFrameError('it does not begin like a frame');
  }
  const size = Number(digits);
  if (size > MAX_ANSWER_BYTES) throw new NoFrameError(`a frame of ${size} bytes is too long for an answer`);
  // Without data there is no space before them.
  if ((size === 0) !== (end === '\n')) throw new NoFrameError('the length does not fit what follows it');
  const from = head.length;
  const length = size === 0 ? from : from + size + 1;
  if (bytes.length < length) return undefined;
  if (bytes[length - 1] !== LF) throw new NoFrameError('a frame does not end with a line feed');
  const data = Buffer.from(bytes.subarray(from, from + size));
  return { frame: { txnr: Number(txnr), command, data }, length };
}
