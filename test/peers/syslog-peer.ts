import { setTimeout as sleep } from 'node:timers/promises';
import type { Flavour } from '../support/certificates.ts';
import { Tail } from '../support/tail.ts';
import type { Peer } from './peer-process.ts';

/** How bytes get to a receiver. */
export interface Route {
  readonly transport: 'tcp' | 'udp' | 'tls';
  /** Of no meaning with `udp`. */
  readonly framing: 'lf' | 'octet-counting';
  readonly header: 'rfc5424' | 'rfc3164' | 'siem-agent';
}

/** An event as a receiver took it apart; what it found nothing for is `-` or empty. */
export interface SyslogMessage {
  readonly pri: string;
  /** RFC 3339. */
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly procid: string;
  readonly msgid: string;
  /** Structured data, as it came. */
  readonly sd: string;
  readonly msg: string;
  /** All of it, as it came. */
  readonly raw: string;
}

export interface SyslogPeerOptions {
  /** Default: the program's own, 8 KiB with rsyslog and 64 KiB with syslog-ng. */
  readonly maxMessageBytes?: number;
  /** Takes TLS too. */
  readonly tls?: {
    /** Its own certificate; default `good`. */
    readonly server?: Flavour;
    /** Demands a certificate of `ca` with our client's name; default `true`. */
    readonly clients?: boolean;
  };
}

export interface SyslogPeer<M extends SyslogMessage = SyslogMessage> {
  /** Port on 127.0.0.1 for what comes by this route; stays the same over `restart`. */
  portFor(route: Route): number;
  /** What it has written to its file so far, in order. */
  messages(): readonly M[];
  /** Waits until there are `count` messages, or until `enough` says so, and gives them. */
  arrived(enough: number | ((messages: readonly M[]) => boolean)): Promise<readonly M[]>;
  /** SIGSTOP: connections are still accepted, and nobody reads. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** SIGKILL; unread data is answered by a reset. Works on a frozen one, and it reads nothing more before. */
  kill(): Promise<void>;
  /** Ends it in good order if it runs, and starts it again on the same ports and file. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** All of a receiver but its ports: a program that writes one JSON object for each event. Starts it. */
export async function startPeer<M extends SyslogMessage>(
  peer: Peer,
  output: string,
  parse: (line: string) => M,
  clean: () => void,
): Promise<Omit<SyslogPeer<M>, 'portFor'>> {
  const tail = new Tail(output);
  const all: M[] = [];
  let rest = '';
  const messages = () => {
    const lines = (rest + tail.next().toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    all.push(...lines.map(parse));
    return all;
  };
  const stop = async () => {
    await peer.remove();
    clean();
  };
  try {
    await peer.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    messages,
    async arrived(enough) {
      const isEnough = typeof enough === 'number' ? ({ length }: readonly M[]) => length >= enough : enough;
      while (!isEnough(messages())) await sleep(20);
      return all;
    },
    freeze: () => peer.freeze(),
    thaw: () => peer.thaw(),
    kill: () => peer.end('SIGKILL'),
    async restart() {
      await peer.end('SIGTERM');
      await peer.start();
    },
    stop,
  };
}
