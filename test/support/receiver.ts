import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyPair } from './certificates.ts';
import { splitFrames } from './collectors.ts';
import { freeze } from './freeze.ts';
import type { Namespace } from './namespace.ts';
import { Tail } from './tail.ts';

/**
 * What a receiver does with the connections that it accepts.
 * - `read`: reads all, and closes when the sender has.
 * - `read-slowly`: the same, that fast, all connections together.
 * - `ignore`: accepts (with TLS shakes hands), and reads nothing.
 * - `keep-open`: reads all, and never closes.
 * - `refuse`: accepts, and closes at once, as a program does that may not take more: before the TLS handshake, in the
 *   middle of it (something has come), or as soon as it is done. Without TLS the last two are the same.
 * - `close`: closes a connection by itself, with a FIN, as soon as it has read so many bytes of it.
 * - `choke`: resets a connection as soon as that text has come on it.
 * - `reset`: each time that it has read so many bytes over all connections, reads nothing for `frozenMs`, and then resets
 *   them, with something unread. After so many `times` it only reads.
 */
export type Behaviour =
  | { readonly does: 'read' | 'ignore' | 'keep-open' }
  | { readonly does: 'read-slowly'; readonly bytesPerSecond: number }
  | { readonly does: 'refuse'; readonly when: 'accepted' | 'begun' | 'shaken' }
  | { readonly does: 'close'; readonly afterBytes: number }
  | { readonly does: 'choke'; readonly on: string }
  | {
      readonly does: 'reset';
      readonly everyBytes: number;
      readonly times: number;
      readonly frozenMs: number;
    };

export interface ReceiverOptions {
  /** Default `lf`. */
  readonly framing?: 'lf' | 'octet-counting';
  readonly tls?: {
    /** Its own certificate. */
    readonly pair: KeyPair;
    /** Demands a client certificate of this CA (PEM). */
    readonly clientCa?: string;
    readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  };
  /** Stands in this one, and is reached at its address; default: here, at 127.0.0.1. */
  readonly namespace?: Namespace;
}

export interface Receiver {
  readonly host: string;
  /** Stays the same over `restart`. */
  readonly port: number;
  /** For connections that are accepted from now on; resolves when it is in force. */
  behave(behaviour: Behaviour): Promise<void>;
  /**
   * Resets all open connections, after having read nothing for `frozenMs` and until something unread is there; resolves
   * when it has.
   */
  reset(frozenMs?: number): Promise<void>;
  /** Connections accepted so far. */
  connections(): number;
  /** Whole events that it has *read* so far, in order; what only its kernel has taken is not among them. */
  events(): readonly string[];
  /** Rests of events on connections that the sender ended in good order: a receiver may take them for whole. */
  torn(): readonly string[];
  /** Resolves with the events as soon as `condition` holds. */
  until(condition: (events: readonly string[]) => boolean): Promise<readonly string[]>;
  /** SIGSTOP: connections are still accepted, by the kernel, and nobody reads. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; unread data is answered by a reset. Works on a frozen one, and it reads nothing more before. */
  kill(): Promise<void>;
  /**
   * Kills it if it runs, and starts it again on the same port; it reads all until it is told otherwise.
   *
   * @param pair its certificate from now on; default: the one that it had at first
   */
  restart(pair?: KeyPair): Promise<void>;
  /** Kills it and removes what it has written. */
  close(): Promise<void>;
}

export interface StartCommand extends Pick<ReceiverOptions, 'tls'> {
  readonly do: 'start';
  readonly host: string;
  readonly port: number;
  /**
   * For one file for each connection, named by its number, `NUMBER.end` when the sender has ended it, and `NUMBER.closed`
   * when it is closed.
   */
  readonly folder: string;
  readonly firstConnection: number;
}
export type Command =
  | StartCommand
  | { readonly do: 'behave'; readonly behaviour: Behaviour }
  | { readonly do: 'reset'; readonly frozenMs: number };

/** A receiver over TCP or TLS, in a process of its own, so that it goes on while the test blocks its event loop. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'receiver-'));
  const host = options.namespace?.address ?? '127.0.0.1';
  const log = new ConnectionLog(folder, options.framing ?? 'lf');
  let child: ChildProcess | undefined;
  let port = 0;

  const ask = async (command: Command): Promise<{ port?: number }> => {
    if (!child) throw new Error('the receiver does not run');
    const listening = new AbortController();
    const { signal } = listening;
    const ended = once(child, 'exit', { signal }).then(() => {
      throw new Error(`the receiver ended before it did what it was asked: ${command.do}`);
    });
    try {
      const answer = once(child, 'message', { signal });
      child.send(command);
      const [message] = await Promise.race([answer, ended]);
      return message as { port?: number };
    } finally {
      ended.catch(() => {});
      listening.abort();
    }
  };
  const start = async (pair = options.tls?.pair) => {
    const program = [process.execPath, join(import.meta.dirname, 'receiver-process.ts')];
    const [command, ...args] = [...(options.namespace?.prefix ?? []), ...program];
    child = spawn(command!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const { tls } = options;
    const answer = await ask({
      do: 'start',
      host,
      port,
      ...(tls && pair && { tls: { ...tls, pair } }),
      folder,
      firstConnection: log.connections(),
    });
    port = answer.port ?? 0;
  };
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    log.over();
  };

  await start();
  return {
    host,
    port,
    async behave(behaviour) {
      await ask({ do: 'behave', behaviour });
    },
    async reset(frozenMs = 0) {
      await ask({ do: 'reset', frozenMs });
    },
    connections: () => log.connections(),
    events: () => log.events(),
    torn: () => log.torn(),
    async until(condition) {
      for (;;) {
        const events = log.events();
        if (condition(events)) return events;
        await sleep(10);
      }
    },
    freeze() {
      if (child) freeze(child);
    },
    thaw: () => void child?.kill('SIGCONT'),
    kill,
    async restart(pair) {
      await kill();
      await start(pair);
    },
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface ConnectionFile {
  readonly tail: Tail;
  readonly events: string[];
  rest: Buffer;
  /** Nothing more comes: it has been read to its end. There may be thousands. */
  isOver: boolean;
}

/** What a receiver has read, from the files that it writes. */
class ConnectionLog {
  readonly #folder: string;
  readonly #framing: 'lf' | 'octet-counting';
  readonly #files: ConnectionFile[] = [];

  constructor(folder: string, framing: 'lf' | 'octet-counting') {
    this.#folder = folder;
    this.#framing = framing;
  }

  connections(): number {
    // They are numbered in the order of their coming.
    while (this.#has(String(this.#files.length)))
      this.#files.push({
        tail: new Tail(join(this.#folder, String(this.#files.length))),
        events: [],
        rest: Buffer.alloc(0),
        isOver: false,
      });
    return this.#files.length;
  }

  events(): readonly string[] {
    return this.#read().flatMap(({ events }) => events);
  }

  torn(): readonly string[] {
    return this.#read()
      .filter(({ rest }, index) => rest.length > 0 && this.#has(`${index}.end`))
      .map(({ rest }) => rest.toString());
  }

  /** The process that wrote is dead. */
  over(): void {
    for (const file of this.#read()) file.isOver = true;
  }

  /** Reads what has come since the last time. */
  #read(): readonly ConnectionFile[] {
    this.connections();
    for (const [index, file] of this.#files.entries()) {
      if (file.isOver) continue;
      // Looked at first: what is read then is all of it.
      const isOver = this.#has(`${index}.closed`);
      const split = splitFrames(Buffer.concat([file.rest, file.tail.next()]), this.#framing);
      file.events.push(...split.events);
      file.rest = split.rest;
      file.isOver = isOver;
    }
    return this.#files;
  }

  #has(name: string): boolean {
    return existsSync(join(this.#folder, name));
  }
}
