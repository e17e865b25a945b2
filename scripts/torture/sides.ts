import { join } from 'node:path';
import type { Random } from '../../src/simulator/random.ts';
import { startReceiver as startHttpReceiver } from '../../test/support/http-receiver.ts';
import { type Received, receivedOf, receivedOfJson } from '../../test/support/received.ts';
import { lateAndReversed, startRelpServer, wellBehaved } from '../../test/support/relp-server.ts';
import { Tail } from '../../test/support/tail.ts';

/** A further sink of the relay, beside the one that bad things are done to most of the time. */
export interface Side {
  readonly name: string;
  /** Its entry in the config. */
  readonly settings: string;
  /** What it has taken, in order. */
  received(): readonly Received[];
  /** What it has taken that is not one event. */
  readonly merged: readonly string[];
  /** What it can do wrong, each until `heal`. */
  readonly troubles: Readonly<Record<string, (random: Random) => void>>;
  heal(): void;
  close(): Promise<void>;
}

const rest = `    startFrom: journal
    delivery: { timeout: 5s, retry: { initial: 100ms, max: 1s } }
`;

const OWN = /"kind":"(?:heartbeat|relay)"|\|defender-relay\|defender-relay\|/;

/** Reads what is appended to a list, each item once. */
class Reading {
  readonly merged: string[] = [];
  readonly #received: Received[] = [];
  readonly #read: (text: string) => Received;
  #at = 0;

  constructor(read: (text: string) => Received) {
    this.#read = read;
  }

  of(list: readonly string[]): readonly Received[] {
    for (const text of list.slice(this.#at)) this.add(text);
    this.#at = list.length;
    return this.#received;
  }

  add(text: string): void {
    // Of the relay itself.
    if (OWN.test(text.slice(0, 400))) return;
    try {
      this.#received.push(this.#read(text));
    } catch {
      this.merged.push(text);
    }
  }

  get received(): readonly Received[] {
    return this.#received;
  }
}

/** JSON in a file: every byte of an alert is compared. */
function file(folder: string): Side {
  const path = join(folder, 'events.json');
  const tail = new Tail(path);
  const reading = new Reading(receivedOfJson);
  let begun = Buffer.alloc(0);
  return {
    name: 'file',
    settings: `  - name: file
    type: file
    path: ${path}
    format: { type: json }
    rotate: { size: off }
${rest}`,
    received() {
      const bytes = Buffer.concat([begun, tail.next()]);
      const end = bytes.lastIndexOf('\n') + 1;
      begun = bytes.subarray(end);
      const lines = bytes.toString('utf8', 0, end).split('\n');
      for (const line of lines.filter((each) => each !== '')) reading.add(line);
      return reading.received;
    },
    merged: reading.merged,
    troubles: {},
    heal() {},
    async close() {},
  };
}

async function http(): Promise<Side> {
  const receiver = await startHttpReceiver();
  const reading = new Reading(receivedOfJson);
  const plays = (name: string, script: Parameters<typeof receiver.play>[0]) => ({
    [name]: () => receiver.play(script),
  });
  return {
    name: 'http',
    settings: `  - name: http
    type: http
    url: ${receiver.origin}/events
${rest}`,
    received: () => reading.of(receiver.taken),
    merged: reading.merged,
    troubles: {
      ...plays('answers 503', () => ({ status: 503 })),
      ...plays('answers 429', () => ({ status: 429, headers: { 'Retry-After': '1' } })),
      ...plays('answers 413 to more than one event', ({ lines }) => ({
        status: lines.length > 1 ? 413 : 200,
      })),
      ...plays('takes everything, and its answers are lost', () => ({ lost: true })),
      ...plays('answers every other request, and late', ({ n }) =>
        n % 2 === 0 ? { status: 500 } : { after: new Promise((resolve) => setTimeout(resolve, 500)) },
      ),
      'lets go of all connections': () => receiver.breakDown(),
    },
    heal() {
      receiver.mend();
      receiver.play(() => ({}));
    },
    close: () => receiver.close(),
  };
}

async function relp(): Promise<Side> {
  const server = await startRelpServer();
  const reading = new Reading(receivedOf);
  return {
    name: 'relp',
    settings: `  - name: relp
    type: syslog
    transport: relp
    host: 127.0.0.1
    port: ${server.port}
${rest}`,
    received: () => reading.of(server.accepted),
    merged: reading.merged,
    troubles: {
      'resets in the middle of a batch': (random) => {
        const nth = random.int(1, 20);
        server.play(({ name, count }, peer) => {
          if (name === 'syslog' && count === nth) peer.reset();
          return name === 'syslog' && count >= nth;
        });
      },
      'acknowledges late, the newest first': () => server.play(lateAndReversed(300)),
      'acknowledges nothing': () => server.play(({ name }) => name === 'syslog'),
      'refuses all': () =>
        server.play(({ name, txnr }, peer) => {
          if (name === 'syslog') peer.answer(txnr, '500 not now');
          return name === 'syslog';
        }),
    },
    heal() {
      server.play(wellBehaved);
      server.resetAll();
    },
    close: () => server.close(),
  };
}

/** One that acknowledges by itself, another one in each lane, and a file. */
export async function openSides(folder: string, lane: number): Promise<readonly Side[]> {
  return [await (lane % 2 === 0 ? http() : relp()), file(folder)];
}
