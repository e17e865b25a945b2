import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What a record is known by, without the number of the part. */
const RECORD = /externalId=(\S+) devicePayloadId=(\S+?)(?::\d+\/\d+)?(?: |$)/;

/** A syslog receiver over TCP with LF framing, that counts what it reads: the SIEM of the demo. */
export class ConsoleReceiver {
  /** How often each line of text was read: twice is a duplicate. */
  readonly lines = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#read(socket));
  readonly #show: (event: string) => void;

  /** @param show is given each event without its syslog header */
  constructor(show: (event: string) => void) {
    this.#show = show;
  }

  /** The port it listens on. */
  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  get duplicates(): number {
    return [...this.lines.values()].reduce((sum, count) => sum + count - 1, 0);
  }

  /** Different records: a large one comes as several events, whose `devicePayloadId` ends in `:2/3`. */
  get records(): number {
    const ids = this.lines.keys().map((line) => RECORD.exec(line)?.slice(1).join(' '));
    return new Set(ids).size;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #read(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A reset shows on the sending side; here it only ends the reading.
    socket.on('error', () => {});
    let rest = '';
    // Not `readline`: it breaks lines at U+2028 too, which may stand in an event.
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  #take(line: string): void {
    this.lines.set(line, (this.lines.get(line) ?? 0) + 1);
    this.#show(line.slice(Math.max(0, line.indexOf('CEF:'))));
  }
}
