import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A command as it came in. */
export interface Command {
  readonly txnr: number;
  readonly name: string;
  readonly data: string;
  /** Counts the commands of this name on its connection, from 1. */
  readonly count: number;
}

/** One connection, as its script sees it. */
export interface RelpPeer {
  /** Counts connections from 0. */
  readonly index: number;
  /** Says `rsp` with this data. */
  answer(txnr: number, data: string): void;
  /** Says anything. */
  say(bytes: string | Buffer): void;
  /** FIN. */
  end(): void;
  /** RST. */
  reset(): void;
}

/** What a server does about a command, and whether that is all: else it does what a server should. */
export type RelpScript = (command: Command, peer: RelpPeer) => boolean;

export interface RelpServer {
  readonly port: number;
  /** Messages that were answered with 200, in the order of their coming. */
  readonly accepted: readonly string[];
  /** All messages, by connection. */
  readonly seen: readonly (readonly string[])[];
  /** All commands, by connection, as `TXNR NAME`. */
  readonly commands: readonly (readonly string[])[];
  /** What it does from now on. */
  play(script: RelpScript): void;
  resetAll(): void;
  /** Says this on every connection. */
  sayAll(bytes: string): void;
  close(): Promise<void>;
}

const OPENED = '200 OK\nrelp_version=0\nrelp_software=test\ncommands=syslog';

/** As a server should. */
export const wellBehaved: RelpScript = () => false;

/** Answers some time later, the newest first. */
export function lateAndReversed(afterMs: number): RelpScript {
  const owed: (() => void)[] = [];
  return ({ txnr, name }, peer) => {
    if (name !== 'syslog') return false;
    owed.unshift(() => peer.answer(txnr, '200 OK'));
    if (owed.length > 1) return true;
    setTimeout(() => {
      for (const answer of owed.splice(0)) answer();
    }, afterMs);
    return true;
  };
}

/** A RELP server made from the specification alone: it shares nothing with the relay. */
export async function startRelpServer(
  options: { script?: RelpScript; tls?: TlsOptions; firstTxnr?: number } = {},
): Promise<RelpServer> {
  let { script = wellBehaved } = options;
  const accepted: string[] = [];
  const seen: string[][] = [];
  const commands: string[][] = [];
  const sockets = new Set<Socket>();
  const peers = new Set<RelpPeer>();

  const serve = (socket: Socket, wire: Socket) => {
    const index = seen.length;
    const own: string[] = [];
    const named: string[] = [];
    const counts = new Map<string, number>();
    const messages = new Map<number, string>();
    seen.push(own);
    commands.push(named);
    let next = options.firstTxnr ?? 1;
    let bytes = Buffer.alloc(0);
    const peer: RelpPeer = {
      index,
      answer(txnr, data) {
        const message = messages.get(txnr);
        if (message !== undefined && data.startsWith('200')) accepted.push(message);
        const length = Buffer.byteLength(data);
        peer.say(length === 0 ? `${txnr} rsp 0\n` : `${txnr} rsp ${length} ${data}\n`);
      },
      say: (anything) => void socket.write(anything),
      end: () => void socket.end(),
      reset: () => void wire.resetAndDestroy(),
    };
    const asItShould = ({ txnr, name }: Command) => {
      if (name === 'open') return peer.answer(txnr, OPENED);
      if (name === 'syslog') return peer.answer(txnr, '200 OK');
      peer.answer(txnr, '');
      peer.say('0 serverclose 0\n');
      peer.end();
    };
    peers.add(peer);
    socket.on('error', () => {}).on('close', () => peers.delete(peer));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const head = /^(\d+) ([a-z]+) (\d+)[ \n]/.exec(bytes.toString('latin1', 0, 60));
        if (!head) return;
        const [whole, txnr = '', name = '', size = ''] = head;
        const length = Number(size) === 0 ? whole.length : whole.length + Number(size) + 1;
        if (bytes.length < length) return;
        if (bytes[length - 1] !== 10 || Number(txnr) !== next) return peer.reset();
        const data = bytes.toString('utf8', whole.length, whole.length + Number(size));
        bytes = bytes.subarray(length);
        next = next === 999_999_999 ? 1 : next + 1;
        const count = (counts.get(name) ?? 0) + 1;
        counts.set(name, count);
        named.push(`${txnr} ${name}`);
        if (name === 'syslog') {
          own.push(data);
          messages.set(Number(txnr), data);
        }
        const command = { txnr: Number(txnr), name, data, count };
        if (!script(command, peer)) asItShould(command);
      }
    });
  };

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = options.tls ? createTlsServer(options.tls) : createServer();
  server.on('connection', keep);
  if (options.tls) server.on('tlsClientError', () => {});
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    // Of a TLS socket the one below cannot be had; the last that has come in is it, one at a time.
    serve(socket, options.tls ? ([...sockets].at(-1) ?? socket) : socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: address.port,
    accepted,
    seen,
    commands,
    play: (other) => {
      script = other;
    },
    resetAll,
    sayAll(bytes) {
      for (const peer of peers) peer.say(bytes);
    },
    async close() {
      resetAll();
      server.close();
      await once(server, 'close');
    },
  };
}
