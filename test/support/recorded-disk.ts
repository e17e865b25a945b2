import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Bytes that a disk writes whole or not at all. */
export const SECTOR = 512;

/** What a program did to the files of one directory, in the order in which that was done; and what it printed. */
export type Event =
  | { readonly kind: 'write'; readonly file: string; readonly at: number; readonly data: Buffer }
  | { readonly kind: 'cut'; readonly file: string; readonly length: number }
  | { readonly kind: 'make'; readonly file: string }
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  | { readonly kind: 'remove'; readonly file: string }
  /** All that was done to a file before it is on disk. */
  | { readonly kind: 'sync'; readonly file: string }
  /** All names in the directory are as they are on disk. */
  | { readonly kind: 'sync-names' }
  | { readonly kind: 'said'; readonly line: string };

const CALLS =
  'pwrite64,write,writev,ftruncate,fsync,fdatasync,openat,rename,renameat,renameat2,unlink,unlinkat';

/** Runs a program, and records what it and its threads do to the files that are in `directory`. */
export function recordDisk(program: readonly string[], directory: string): Event[] {
  const folder = mkdtempSync(join(tmpdir(), 'recorded-'));
  try {
    const trace = join(folder, 'trace');
    const how = ['-f', '-qq', '-y', '-xx', '-s', '200000', '--seccomp-bpf', '-e', `trace=${CALLS}`];
    execFileSync('strace', [...how, '-e', 'signal=none', '-o', trace, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return eventsOf(readFileSync(trace, 'latin1'), directory);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A call that another thread came in between of counts when it returns. */
function eventsOf(trace: string, directory: string): Event[] {
  const begun = new Map<string, string>();
  return trace.split('\n').flatMap((line) => {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (text.endsWith(' <unfinished ...>')) {
      begun.set(thread, text.slice(0, -' <unfinished ...>'.length));
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text);
    return eventOf(resumed ? begun.get(thread) + text.slice(resumed[0].length) : text, directory);
  });
}

function eventOf(text: string, directory: string): Event[] {
  const [, call, args = '', result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(text) ?? [];
  if (call === undefined || Number(result) < 0) return [];
  const [, handle, of = ''] = /^(\d+|AT_FDCWD)<([^>]*)>/.exec(args) ?? [];
  const path = unescaped(of);
  const texts = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g)];
  const paths = texts.map(([, each = '']) => unescaped(each)).filter((each) => dirname(each) === directory);
  if (call === 'write' && handle === '1') return [{ kind: 'said', line: unescaped(texts[0]![1]!).trim() }];
  if (call === 'openat') {
    const [file] = paths;
    return file !== undefined && args.includes('O_CREAT') ? [{ kind: 'make', file: basename(file) }] : [];
  }
  if (call.startsWith('rename')) {
    const [file, to] = paths;
    return file && to ? [{ kind: 'rename', file: basename(file), to: basename(to) }] : [];
  }
  if (call.startsWith('unlink')) {
    const [file] = paths;
    return file ? [{ kind: 'remove', file: basename(file) }] : [];
  }
  const isSync = call === 'fsync' || call === 'fdatasync';
  if (path === directory) return isSync ? [{ kind: 'sync-names' }] : [];
  if (dirname(path) !== directory) return [];
  const file = basename(path);
  const last = Number(/(\d+)$/.exec(args)?.[1]);
  if (isSync) return [{ kind: 'sync', file }];
  if (call === 'ftruncate') return [{ kind: 'cut', file, length: last }];
  if (call !== 'pwrite64') return [];
  const data = Buffer.from(texts[0]![1]!.replaceAll('\\x', ''), 'hex');
  return [{ kind: 'write', file, at: last, data }];
}

const unescaped = (text: string): string => Buffer.from(text.replaceAll('\\x', ''), 'hex').toString();

/** Which of the pieces that are not yet on disk get there; asked for each, in the order in which they were written. */
export type Chance = () => boolean;

type Piece = { readonly at: number; readonly data: Buffer } | { readonly length: number };
type Name =
  | { readonly file: string; readonly inode: Inode }
  | { readonly from: string; readonly to: string }
  | { readonly gone: string };

/** What is in one file, whatever its name. */
class Inode {
  #stored: Buffer = Buffer.alloc(0);
  /** Written, and not on disk for certain. */
  #loose: Piece[] = [];

  write(piece: Piece): void {
    this.#loose.push(piece);
  }

  /** Sectors, and changes of its length, that are not on disk for certain. */
  get pieces(): number {
    return this.#loose.flatMap(sectorsOf).length;
  }

  sync(): void {
    this.#stored = this.content(() => true);
    this.#loose = [];
  }

  content(keeps: Chance): Buffer {
    let bytes: Buffer = Buffer.from(this.#stored);
    for (const piece of this.#loose.flatMap(sectorsOf)) {
      if (!keeps()) continue;
      if ('length' in piece) bytes = sized(bytes, piece.length);
      else {
        bytes = sized(bytes, Math.max(bytes.length, piece.at + piece.data.length));
        piece.data.copy(bytes, piece.at);
      }
    }
    return bytes;
  }
}

const sized = (bytes: Buffer, length: number): Buffer =>
  Buffer.concat([bytes.subarray(0, length), Buffer.alloc(Math.max(0, length - bytes.length))]);

function sectorsOf(piece: Piece): Piece[] {
  if ('length' in piece) return [piece];
  const { at, data } = piece;
  const pieces: Piece[] = [];
  for (let from = 0; from < data.length; ) {
    const to = Math.min(data.length, SECTOR * (Math.floor((at + from) / SECTOR) + 1) - at);
    pieces.push({ at: at + from, data: data.subarray(from, to) });
    from = to;
  }
  return pieces;
}

/**
 * A directory on a disk that may lose its power. What was done before a sync of a file is on disk after it; of what was
 * done since, any part may be, a sector being whole or not there. Names come and go in the order in which that was done.
 */
export class Disk {
  readonly #stored = new Map<string, Inode>();
  readonly #present = new Map<string, Inode>();
  #loose: Name[] = [];
  /** What was written last. */
  #last: { readonly inode: Inode; readonly pieces: number } | undefined;

  apply(event: Event): void {
    if (event.kind === 'said') return;
    if (event.kind === 'sync-names') {
      for (const name of this.#loose) change(this.#stored, name);
      this.#loose = [];
      return;
    }
    const { file } = event;
    const inode = this.#present.get(file);
    const before = inode?.pieces ?? 0;
    if (event.kind === 'make') {
      if (!inode) this.#rename({ file, inode: new Inode() });
    } else if (event.kind === 'rename') this.#rename({ from: file, to: event.to });
    else if (event.kind === 'remove') this.#rename({ gone: file });
    else if (event.kind === 'sync') inode?.sync();
    else inode?.write(event);
    this.#last = inode && { inode, pieces: inode.pieces - before };
  }

  #rename(name: Name): void {
    change(this.#present, name);
    this.#loose.push(name);
  }

  /** The files as their readers see them. */
  now(): Map<string, Buffer> {
    return contents(this.#present, () => () => true);
  }

  /** Sectors of the last write. */
  get sectors(): number {
    return Math.max(0, this.#last?.pieces ?? 0);
  }

  /** As if of the last write only the first so many sectors had come to the disk, and all that was written before. */
  torn(sectors: number): Map<string, Buffer> {
    const { inode, pieces = 0 } = this.#last ?? {};
    return contents(this.#present, (of) => {
      let left = of === inode ? of.pieces - pieces + sectors : Number.POSITIVE_INFINITY;
      return () => left-- > 0;
    });
  }

  /** What may be found after the power was lost: `keeps` says of each loose piece whether it got to the disk. */
  afterLoss(keeps: Chance): Map<string, Buffer> {
    const names = new Map(this.#stored);
    for (const name of this.#loose) {
      if (!keeps()) break;
      change(names, name);
    }
    return contents(names, () => keeps);
  }
}

function change(names: Map<string, Inode>, name: Name): void {
  if ('gone' in name) names.delete(name.gone);
  else if ('from' in name) {
    const inode = names.get(name.from);
    names.delete(name.from);
    if (inode) names.set(name.to, inode);
  } else names.set(name.file, name.inode);
}

function contents(
  names: ReadonlyMap<string, Inode>,
  chanceOf: (inode: Inode) => Chance,
): Map<string, Buffer> {
  return new Map(Array.from(names, ([file, inode]) => [file, inode.content(chanceOf(inode))]));
}
