import { endianness } from 'node:os';

/**
 * SQLite reads its write-ahead log up to the first frame whose sum is wrong, and passes over all that comes after,
 * without a word: that is right for a transaction that was being written when the power went, and wrong for one that was
 * on disk. Here the two are told apart. @see https://www.sqlite.org/walformat.html
 */

const HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x37_7f_06_82;
const VERSION = 3_007_000;
/** Of a journal: what SQLite takes when it is not told. */
const PAGE = 4_096;
/** Of the index: two copies of what is known of the log, each with its sum at the end. */
const INDEX_HEADER = 48;
const INDEX_SUMMED = 40;

type Sum = readonly [number, number];

interface Format {
  readonly isWhole: boolean;
  readonly salts: Buffer;
  readonly frameBytes: number;
  readonly isBig: boolean;
}

interface Frame {
  /** Pages of the journal after the transaction that ends here; 0: it does not end here. */
  readonly commits: number;
  /** Its sum is right, if that of the frame before it is. */
  readonly follows: boolean;
  /** It belongs to this log: frames of an earlier one are left after the end. */
  readonly isOurs: boolean;
}

export interface Wal {
  /** Frames that SQLite reads. */
  readonly read: number;
  /** Frames that were there; more than are read: the log is broken. */
  readonly stored: number;
  /** Where that begins which cannot be read. */
  readonly brokenAt: number;
}

/**
 * How much of a log can be read, and how much was there: what SQLite reads; transactions that are whole for themselves;
 * those that have another one after them, for that is not begun before they are on disk; and those of which the index
 * tells. SQLite keeps that (`-shm`) in memory that is shared through a file, and notes there what is on disk. It is still
 * there when only the process died; after a loss of power it may be an older one, or nonsense, which tells nothing.
 *
 * @param index as much of the index as there is
 * @returns `undefined`: the log is empty
 */
export function surveyWal(log: Buffer, index: Buffer = Buffer.alloc(0)): Wal | undefined {
  const format = formatOf(log);
  if (!format) return undefined;
  const frames = framesOf(log, format);
  const wrong = frames.findIndex((frame) => !isRight(frame));
  const right = !format.isWhole ? 0 : wrong < 0 ? frames.length : wrong;
  const read = frames.slice(0, right).findLastIndex(({ commits }) => commits > 0) + 1;
  let stored = Math.max(read, framesIn(index, format.salts));
  let isWhole = true;
  for (const [at, frame] of frames.entries()) {
    isWhole &&= isRight(frame);
    if (frame.commits === 0) continue;
    const next = frames[at + 1];
    if (isWhole || (frame.isOurs && next && isRight(next))) stored = Math.max(stored, at + 1);
    isWhole = true;
  }
  return { read, stored, brokenAt: format.isWhole ? HEADER + right * format.frameBytes : 0 };
}

/**
 * The same log with sums that are right, as far as it was there: SQLite reads it, and what is wrong in it is left to
 * those who know what is in the pages.
 */
export function mendedWal(log: Buffer, index?: Buffer): Buffer {
  const format = formatOf(log);
  const survey = surveyWal(log, index);
  if (!format || !survey) return Buffer.alloc(0);
  const { salts, frameBytes, isBig } = format;
  const mended = Buffer.from(log.subarray(0, HEADER + survey.stored * frameBytes));
  mended.writeUInt32BE(isBig ? MAGIC + 1 : MAGIC, 0);
  mended.writeUInt32BE(VERSION, 4);
  mended.writeUInt32BE(frameBytes - FRAME_HEADER, 8);
  salts.copy(mended, 16);
  let sum = putSum(mended, 24, sumOf(mended.subarray(0, 24), isBig));
  for (let at = HEADER; at + frameBytes <= mended.length; at += frameBytes) {
    const frame = mended.subarray(at, at + frameBytes);
    salts.copy(frame, 8);
    sum = putSum(frame, 16, frameSum(frame, isBig, sum));
  }
  return mended;
}

const isRight = ({ isOurs, follows }: Frame): boolean => isOurs && follows;

/** `undefined`: it is empty. What is wrong in a header is known from elsewhere. */
function formatOf(log: Buffer): Format | undefined {
  if (log.length < HEADER + FRAME_HEADER || log.subarray(0, HEADER).every((byte) => byte === 0))
    return undefined;
  const magic = log.readUInt32BE(0);
  const isBig = magic === MAGIC + 1;
  const isWhole = (magic === MAGIC || isBig) && isSame(sumOf(log.subarray(0, 24), isBig), sumAt(log, 24));
  const pageBytes = isWhole ? log.readUInt32BE(8) : PAGE;
  const salts = isWhole ? log.subarray(16, 24) : log.subarray(HEADER + 8, HEADER + 16);
  return { isWhole, salts, frameBytes: FRAME_HEADER + pageBytes, isBig };
}

function framesOf(log: Buffer, { salts, frameBytes, isBig }: Format): Frame[] {
  const frames: Frame[] = [];
  let before = sumAt(log, 24);
  for (let at = HEADER; at + frameBytes <= log.length; at += frameBytes) {
    const frame = log.subarray(at, at + frameBytes);
    const written = sumAt(frame, 16);
    frames.push({
      commits: frame.readUInt32BE(4),
      follows: isSame(frameSum(frame, isBig, before), written),
      isOurs: frame.subarray(8, 16).equals(salts),
    });
    before = written;
  }
  return frames;
}

/** How many frames of the log with these salts an index knows to be on disk. */
function framesIn(index: Buffer, salts: Buffer): number {
  if (index.length < 2 * INDEX_HEADER) return 0;
  const header = index.subarray(0, INDEX_HEADER);
  const isBig = endianness() === 'BE';
  const word = (at: number) => (isBig ? header.readUInt32BE(at) : header.readUInt32LE(at));
  const isWhole =
    header.equals(index.subarray(INDEX_HEADER, 2 * INDEX_HEADER)) &&
    isSame(sumOf(header.subarray(0, INDEX_SUMMED), isBig), [word(INDEX_SUMMED), word(INDEX_SUMMED + 4)]);
  return isWhole && header.subarray(32, 40).equals(salts) ? word(16) : 0;
}

/** SQLite's sum of 32-bit words, two at a time, going on from an earlier one. */
function sumOf(bytes: Buffer, isBig: boolean, [first, second]: Sum = [0, 0]): Sum {
  let a = first;
  let b = second;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + view.getUint32(at, !isBig) + b) >>> 0;
    b = (b + view.getUint32(at + 4, !isBig) + a) >>> 0;
  }
  return [a, b];
}

const frameSum = (frame: Buffer, isBig: boolean, before: Sum): Sum =>
  sumOf(frame.subarray(FRAME_HEADER), isBig, sumOf(frame.subarray(0, 8), isBig, before));

function putSum(bytes: Buffer, at: number, sum: Sum): Sum {
  for (const [word, value] of sum.entries()) bytes.writeUInt32BE(value, at + 4 * word);
  return sum;
}

const sumAt = (bytes: Buffer, at: number): Sum => [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
const isSame = (a: Sum, b: Sum): boolean => a[0] === b[0] && a[1] === b[1];
