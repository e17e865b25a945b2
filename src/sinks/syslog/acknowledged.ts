import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import ipaddr from 'ipaddr.js';
import { wait } from '../../lib/wait.ts';

/** By which the kernel knows a TCP connection. */
export interface FourTuple {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A connection as Linux lists it. */
export interface Listed {
  /** Neither side has ended it. */
  readonly isOpen: boolean;
  /** The peer has not ended it, maybe we have: what its kernel acknowledges still counts. */
  readonly isTheirsOpen: boolean;
  /** What the peer's kernel has not yet acknowledged. */
  readonly unacknowledgedBytes: number;
  /** The peer's kernel answers, and has no room for more, because nobody reads there. */
  readonly isFull: boolean;
}

/** What is not acknowledged now. */
export type Outstanding = Pick<Listed, 'unacknowledgedBytes' | 'isFull'>;

/** @see linux/include/net/tcp_states.h */
const ESTABLISHED = '01';
/** Our end is out; acknowledged in the second. */
const FIN_WAIT = ['04', '05'];
/** The timer that is set: one that asks for room again and again. */
const ZERO_WINDOW_PROBE = '04';

/**
 * A connection in the text of `/proc/net/tcp` or `tcp6`; `undefined` when it is not in there.
 *
 * @see linux/Documentation/networking/proc_net_tcp.rst
 */
export function listed(table: string, tuple: FourTuple): Listed | undefined {
  const pair = `${hexOf(tuple.localAddress, tuple.localPort)} ${hexOf(tuple.remoteAddress, tuple.remotePort)} `;
  const at = table.indexOf(pair);
  if (at < 0) return undefined;
  const [state, queues = '', timer = ''] = table.slice(at + pair.length, at + pair.length + 32).split(' ');
  return {
    isOpen: state === ESTABLISHED,
    isTheirsOpen: state === ESTABLISHED || FIN_WAIT.includes(state ?? ''),
    unacknowledgedBytes: Number.parseInt(queues, 16),
    isFull: timer.startsWith(ZERO_WINDOW_PROBE),
  };
}

/** An address as the kernel prints it: in words of four bytes, each in the order of the machine. */
function hexOf(address: string, port: number): string {
  const bytes = Buffer.from(ipaddr.parse(address.replace(/%.*$/, '')).toByteArray());
  if (endianness() === 'LE') bytes.swap32();
  return `${bytes.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function fileOf({ localAddress }: FourTuple): string {
  return isIPv6(localAddress) ? '/proc/self/net/tcp6' : '/proc/self/net/tcp';
}

const NOTHING_KNOWN: Outstanding = { unacknowledgedBytes: 0, isFull: false };
const ALL: Outstanding = { unacknowledgedBytes: Number.POSITIVE_INFINITY, isFull: false };

/** What the kernel says; `unknown`: it cannot be asked. */
export type Acknowledgement = 'acknowledged' | 'ended' | 'unknown';

/** The peer's kernel may hold an acknowledgement back for 40 ms; a slow reader may take any time. */
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 100;
/** The list changes while it is read, and may lack for once what is there. */
const LOOKS_IN_VAIN = 3;
const NOT_ASKED =
  'the kernel cannot be asked what a receiver has acknowledged, so that one that closes by itself just while the last bytes are on their way is taken to have read them';

/** There is no such list, or it is not for us. Any other error passes. */
const LASTING = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

/**
 * Asks the kernel whether the peer's kernel has acknowledged every byte of a connection, and waits until it has.
 * That can be asked on Linux only.
 */
export class Acknowledged {
  readonly #read: (file: string) => Promise<string>;
  readonly #told: (trouble: string) => void;
  #trouble: string | undefined;
  /** It has shown one of our connections, so that it shows them. */
  #isProven = false;

  /** @param told of what {@link trouble} is, once */
  constructor(
    told: (trouble: string) => void,
    read: (file: string) => Promise<string> = (file) => readFile(file, 'latin1'),
  ) {
    this.#told = told;
    this.#read = read;
  }

  /** That the kernel cannot be asked here, so that nobody asks it any more, and why. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Rejects by the signal only. */
  async all(tuple: FourTuple, signal: AbortSignal): Promise<Acknowledgement> {
    for (let ms = FIRST_LOOK_MS; ; ms = Math.min(2 * ms, LAST_LOOK_MS)) {
      const found = await this.#find(tuple, signal);
      if (!found) return 'unknown';
      if (!found.isOpen) return 'ended';
      if (found.unacknowledgedBytes === 0) return 'acknowledged';
      await wait(ms, signal);
    }
  }

  /** All bytes once the peer has ended it, and when it cannot be found for once; none where that can never be known. */
  async outstanding(tuple: FourTuple): Promise<Outstanding> {
    const found = await this.#find(tuple);
    if (found?.isTheirsOpen) return found;
    return this.#trouble === undefined ? ALL : NOTHING_KNOWN;
  }

  async #find(tuple: FourTuple, signal?: AbortSignal): Promise<Listed | undefined> {
    let absences = 0;
    for (let look = 1; look <= LOOKS_IN_VAIN && this.#trouble === undefined; look++) {
      if (look > 1) await wait(FIRST_LOOK_MS, signal);
      try {
        const found = listed(await this.#read(fileOf(tuple)), tuple);
        this.#isProven ||= found !== undefined;
        if (found) return found;
        absences += 1;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (LASTING.has(code ?? '')) this.#off(message);
      }
    }
    if (absences === LOOKS_IN_VAIN && !this.#isProven)
      this.#off(`${fileOf(tuple)} does not list our connections`);
    return undefined;
  }

  #off(why: string): void {
    if (this.#trouble !== undefined) return;
    this.#trouble = `${NOT_ASKED}: ${why}`;
    this.#told(this.#trouble);
  }
}
