/**
 * A stand-in for Azure Event Hubs: a namespace with hubs, over AMQP 1.0 (`rhea`), plain as the emulator speaks it, over
 * TLS, or over WebSockets. It imitates the service as `@azure/event-hubs` 6.0 sees it:
 *
 * - `$cbs`: `put-token` with SAS (signature, expiry, audience) or a token of Entra ID (audience, expiry), 202 or 401;
 *   no link to a hub without one;
 * - producers: `HUB` and `HUB/Partitions/ID`, batches (message format 0x80013700), the partition key, the link's
 *   `max-message-size`;
 * - consumers: `HUB/ConsumerGroups/GROUP/Partitions/ID`, from an offset, a sequence number or a time; epochs;
 * - `$management`: what a hub and its partitions are;
 * - its ways to fail: ServerBusy (50002), detached links, forced closes, resets, a peer that falls silent at any step.
 *
 * From https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot and
 * https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide, and from what the SDK asks
 * for. `test/peers/event-hubs.test.ts` asks the same of Microsoft's own emulator, where there is a container engine.
 * Not imitated: throughput units, retention, geo-replication, transactions, idempotent producers.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import rhea, { type Connection, type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { WebSocketServer } from 'ws';
import type { KeyPair } from '../certificates.ts';
import { Hub, type Kept, type Partition, startIn } from './hub.ts';
import { type Line, lineOverStream, lineOverWebSocket } from './line.ts';
import { whyNotLetIn } from './tokens.ts';

export { aJwt } from './tokens.ts';

/** Steps at which the stand-in can fall silent: it takes what comes, and says nothing more. */
export type Step = 'connection' | 'open' | 'token' | 'link' | 'transfer';

/** What it says to a transfer in place of `accepted`. */
export type Answer =
  | { readonly condition: string; readonly description?: string }
  | 'silence'
  | 'cut'
  | 'detach'
  /** The tokens that were shown have run out: the link is detached, and needs a new one. */
  | 'expire'
  | 'close';

export const SERVER_BUSY = {
  condition: 'com.microsoft:server-busy',
  description:
    'The request was terminated because the entity is being throttled. Error code : 50002. Sub error : 102. Please wait 4 seconds and try again.',
};

export interface EventHubsOptions {
  /** Partitions of each hub; default `{ alerts: 4 }`. */
  readonly hubs?: Readonly<Record<string, number>>;
  readonly transport?: 'plain' | 'tls' | 'websocket';
  /** For `tls` and `websocket`. */
  readonly tls?: KeyPair;
  readonly maxMessageBytes?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export const KEY_NAME = 'relay-send';
export const KEY = 'c2VjcmV0LWtleS1vZi10aGUtc3RhbmQtaW4=';

export interface EventHubs {
  readonly port: number;
  /** For a hub, or without one; with another key: of the same form, and not let in. */
  connectionString(hub?: string, key?: string): string;
  hub(name: string): Hub;
  /** Texts of the events of a hub, in the order in which they came. */
  texts(hub?: string): string[];
  /** Connections so far. */
  readonly connections: number;
  /** Tokens that were shown so far: type and audience. */
  readonly tokens: readonly { readonly type: string; readonly audience: string }[];
  /** Falls silent at this step, for connections that come to it from now on. */
  mutesAt: Step | undefined;
  /** What it says to the transfers that come next, one each; then it accepts again. */
  readonly answers: Answer[];
  /** What it says to every transfer that has no answer of its own. */
  always: Answer | undefined;
  /** What it says to a transfer by what is in it. */
  judge: ((texts: readonly string[]) => Answer | undefined) | undefined;
  /** Replaces the keys: those that were let in stay so until they show a token again. */
  keys: Record<string, string>;
  /** Detaches every link to a hub. */
  detachAll(condition?: string): void;
  /** Closes every connection as Event Hubs does before a node goes down. */
  closeAll(condition?: string): void;
  /** Cuts every connection without a word. */
  cutAll(): void;
  close(): Promise<void>;
}

const BATCH_FORMAT = 0x80013700;
const PARTITION_KEY = 'x-opt-partition-key';

interface Consumer {
  readonly sender: Sender;
  readonly address: string;
  readonly partition: Partition;
  readonly epoch: number | undefined;
  next: number;
}

/** What it knows of one connection. */
interface Visit {
  readonly line: Line;
  readonly connection: Connection;
  readonly letIn: Set<string>;
  readonly links: Set<Sender | Receiver>;
}

export async function startEventHubs(options: EventHubsOptions = {}): Promise<EventHubs> {
  const {
    hubs: sizes = { alerts: 4 },
    transport = 'plain',
    maxMessageBytes = 1_048_576,
    now = Date.now,
  } = options;
  const hubs = new Map(Object.entries(sizes).map(([name, size]) => [name, new Hub(name, size)]));
  const visits = new Map<Connection, Visit>();
  const consumers = new Set<Consumer>();
  const tokens: { type: string; audience: string }[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  const container = rhea.create_container({ id: 'event-hubs-stand-in' });
  container.sasl_server_mechanisms.enable_anonymous();

  const visitOf = ({ connection }: EventContext) => visits.get(connection);
  const silentAt = (step: Step, visit: Visit | undefined) => {
    if (self.mutesAt !== step) return false;
    visit?.line.mute();
    return true;
  };

  const welcome = (line: Line) => {
    connections++;
    if (self.mutesAt === 'connection') return line.mute();
    container.websocket_accept(
      line as never,
      {
        max_frame_size: 65_536,
        receiver_options: { autoaccept: false, credit_window: 300, max_message_size: maxMessageBytes },
        line,
      } as never,
    );
  };

  container.on('connection_open', (context: EventContext) => {
    // rhea keeps what it was given to accept the connection with.
    const { line } = context.connection.options as unknown as { line: Line };
    const visit = {
      line,
      connection: context.connection,
      letIn: new Set<string>(),
      links: new Set<Sender | Receiver>(),
    };
    visits.set(context.connection, visit);
    silentAt('open', visit);
  });
  for (const event of [
    'connection_error',
    'session_error',
    'sender_error',
    'receiver_error',
    'protocol_error',
    'error',
  ])
    container.on(event, () => {});
  for (const event of ['disconnected', 'connection_close'])
    container.on(event, (context: EventContext) => {
      const visit = visitOf(context);
      visits.delete(context.connection);
      for (const consumer of consumers) if (visit?.links.has(consumer.sender)) consumers.delete(consumer);
    });
  container.on('sender_close', ({ sender }: EventContext) => {
    for (const consumer of consumers) if (consumer.sender === sender) consumers.delete(consumer);
  });

  const refuse = (link: Sender | Receiver, condition: string, description: string) =>
    link.close({ condition, description });

  /** Whether a token for the hub has been shown; if not the link is closed. */
  const isLetIn = (visit: Visit, link: Sender | Receiver, hub: string) => {
    if ([...visit.letIn].some((audience) => new URL(audience).pathname.split('/')[1] === hub)) return true;
    const description = `Unauthorized access. 'Send' claim(s) are required to perform this operation. Resource: '${hub}'.`;
    refuse(link, 'amqp:unauthorized-access', description);
    return false;
  };

  /** The hub and what is below it, of an address that is there; if there is none the link is closed. */
  const hubAt = (link: Sender | Receiver, address: string) => {
    const [name = '', ...below] = address.replace(/^\//, '').split('/');
    const hub = hubs.get(name);
    if (hub) return { hub, below };
    refuse(link, 'amqp:not-found', `The messaging entity 'sb://stand-in/${name}' could not be found.`);
    return undefined;
  };

  container.on('receiver_open', (context: EventContext) => {
    const visit = visitOf(context);
    const receiver = context.receiver;
    if (!visit || !receiver) return;
    const address = String(receiver.target?.address ?? '');
    receiver.set_target(receiver.target);
    receiver.set_source(receiver.source);
    if (address === '$cbs' || address.endsWith('$management')) return;
    visit.links.add(receiver);
    if (silentAt('link', visit)) return;
    const found = hubAt(receiver, address);
    if (found) isLetIn(visit, receiver, found.hub.name);
  });

  container.on('sender_open', (context: EventContext) => {
    const visit = visitOf(context);
    const sender = context.sender;
    if (!visit || !sender) return;
    const address = String(sender.source?.address ?? '');
    sender.set_source(sender.source);
    sender.set_target(sender.target);
    if (address === '$cbs' || address.endsWith('$management')) return;
    visit.links.add(sender);
    if (silentAt('link', visit)) return;
    const found = hubAt(sender, address);
    if (!found || !isLetIn(visit, sender, found.hub.name)) return;
    const partition = found.hub.partition(found.below[3] ?? '');
    if (!partition)
      return void refuse(sender, 'com.microsoft:argument-out-of-range', `no partition at ${address}`);
    const epoch: number | undefined = sender.properties?.['com.microsoft:epoch'];
    for (const other of consumers) {
      if (other.address !== address || epoch === undefined) continue;
      if (other.epoch !== undefined && other.epoch > epoch)
        return void refuse(sender, 'amqp:link:stolen', 'a higher epoch reads here');
      refuse(other.sender, 'amqp:link:stolen', `New receiver with higher epoch of '${epoch}' is created`);
      consumers.delete(other);
    }
    const filter = (sender.source?.filter as Record<string, unknown> | undefined)?.[
      'apache.org:selector-filter:string'
    ];
    const selector =
      typeof filter === 'object' && filter !== null
        ? String((filter as { value?: unknown }).value ?? filter)
        : (filter as string | undefined);
    consumers.add({ sender, address, partition, epoch, next: startIn(partition, selector) });
    serve();
  });
  container.on('sendable', () => serve());

  /** Gives each consumer what it has credit for. */
  function serve(): void {
    for (const consumer of consumers) {
      const { sender, partition } = consumer;
      while (sender.is_open() && sender.sendable() && consumer.next < partition.events.length)
        sender.send(asDelivered(partition.events[consumer.next++] as Kept));
    }
  }

  /** Sends on the link by which a visitor hears from `node`. */
  const reply = ({ connection }: Visit, node: string, message: object) => {
    const hears = (sender: Sender) => String(sender.source?.address ?? '').endsWith(node);
    connection.find_sender(hears)?.send({ body: '', ...message });
  };

  const putToken = (visit: Visit, message: Message) => {
    const { name = '', type = '' } = (message.application_properties ?? {}) as Record<string, string>;
    tokens.push({ type, audience: name });
    if (silentAt('token', visit)) return;
    const why = whyNotLetIn(type, String(message.body), {
      keys: self.keys,
      audience: name,
      nowS: now() / 1000,
    });
    if (why === undefined) visit.letIn.add(name);
    const status = why === undefined ? 202 : 401;
    reply(visit, '$cbs', answerTo(message, status, why ?? 'Accepted'));
  };

  const manage = (visit: Visit, message: Message) => {
    const asked = (message.application_properties ?? {}) as Record<string, string>;
    const hub = hubs.get(asked.name ?? '');
    const partition = hub?.partition(asked.partition ?? '');
    const body =
      asked.type === 'com.microsoft:partition'
        ? hub && partition && partitionInfo(hub, partition)
        : hub && hubInfo(hub);
    const absent = `The messaging entity '${asked.name}' could not be found.`;
    reply(visit, '$management', {
      ...answerTo(message, body ? 200 : 404, body ? 'OK' : absent),
      ...(body && { body }),
    });
  };

  container.on('message', (context: EventContext) => {
    const visit = visitOf(context);
    const { receiver, delivery, message } = context;
    if (!visit || !receiver || !delivery || !message) return;
    const address = String(receiver.target?.address ?? '');
    if (address === '$cbs' || address.endsWith('$management')) {
      delivery.accept();
      return address === '$cbs' ? putToken(visit, message) : manage(visit, message);
    }
    const found = hubs.get(address.split('/')[0] ?? '');
    // What comes on a link that is closed is nobody's.
    if (!found || receiver.is_closed() || !receiver.is_open()) return;
    if (silentAt('transfer', visit)) return;
    const { messages, bytes } = unpack(delivery.format ?? 0, message);
    const answer = self.answers.shift() ?? self.judge?.(messages.map(textOf)) ?? self.always;
    if (answer === 'silence') return visit.line.mute();
    if (answer === 'cut') return visit.line.cut();
    if (answer === 'detach')
      return void refuse(receiver, 'amqp:link:detach-forced', 'The link was force detached by the broker.');
    if (answer === 'expire') {
      visit.letIn.clear();
      return void refuse(receiver, 'amqp:unauthorized-access', 'ExpiredToken: The token is expired.');
    }
    if (answer === 'close')
      return void visit.connection.close({
        condition: 'amqp:connection:forced',
        description: 'The connection was closed by the broker.',
      });
    if (answer) return void delivery.reject(answer as never);
    if (bytes > maxMessageBytes)
      return void delivery.reject({
        condition: 'amqp:link:message-size-exceeded',
        description: 'The received message is too large',
      } as never);
    const id = /\/Partitions\/(.+)$/i.exec(address)?.[1];
    const key = messages[0]?.message_annotations?.[PARTITION_KEY] as string | undefined;
    found.keep(messages, id === undefined ? found.partitionFor(key) : (found.partition(id) as Partition));
    delivery.accept();
    serve();
  });

  const onSocket = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  };
  const server = listenBy(transport, options.tls, welcome, onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const self: EventHubs = {
    port,
    mutesAt: undefined,
    answers: [],
    always: undefined,
    judge: undefined,
    keys: { [KEY_NAME]: KEY },
    tokens,
    get connections() {
      return connections;
    },
    connectionString(hub, key = KEY) {
      const emulated = transport === 'plain' ? ';UseDevelopmentEmulator=true' : '';
      const entity = hub === undefined ? '' : `;EntityPath=${hub}`;
      return `Endpoint=sb://localhost:${port}/;SharedAccessKeyName=${KEY_NAME};SharedAccessKey=${key}${emulated}${entity}`;
    },
    hub(name) {
      const hub = hubs.get(name);
      if (!hub) throw new Error(`there is no hub ${name}`);
      return hub;
    },
    texts: (hub = 'alerts') => self.hub(hub).events.map(({ message }) => textOf(message)),
    detachAll(condition = 'amqp:link:detach-forced') {
      for (const { links } of visits.values())
        for (const link of links)
          if (link.is_open()) refuse(link, condition, 'The link was force detached by the broker.');
    },
    closeAll(condition = 'amqp:connection:forced') {
      for (const { connection } of visits.values())
        connection.close({ condition, description: 'The connection was closed by the broker.' });
    },
    cutAll() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}

const { types } = rhea;

function answerTo(message: Message, status: number, description: string) {
  return {
    correlation_id: message.message_id,
    application_properties: { 'status-code': status, 'status-description': description },
  };
}

function hubInfo({ name, createdMs, partitions }: Hub): object {
  return {
    name,
    type: 'com.microsoft:eventhub',
    created_at: types.wrap_timestamp(createdMs),
    partition_count: partitions.length,
    partition_ids: types.wrap_array(
      partitions.map(({ id }) => id),
      0xa1,
      undefined,
    ),
  };
}

function partitionInfo({ name }: Hub, { id, events }: Partition): object {
  const last = events.at(-1);
  return {
    name,
    type: 'com.microsoft:partition',
    partition: id,
    begin_sequence_number: types.wrap_long(0),
    last_enqueued_sequence_number: types.wrap_long(last?.sequenceNumber ?? -1),
    last_enqueued_offset: last?.offset ?? '-1',
    last_enqueued_time_utc: types.wrap_timestamp(last?.enqueuedMs ?? 0),
    is_partition_empty: last === undefined,
  };
}

function asDelivered({ message, sequenceNumber, offset, enqueuedMs }: Kept): Message {
  return {
    ...message,
    message_annotations: {
      ...message.message_annotations,
      'x-opt-sequence-number': types.wrap_long(sequenceNumber),
      'x-opt-offset': offset,
      'x-opt-enqueued-time': types.wrap_timestamp(enqueuedMs),
    },
  };
}

interface Section {
  readonly content: Buffer;
  readonly multiple?: boolean;
}

/** The events of a transfer, and its size. */
function unpack(format: number, message: Message | Buffer): { messages: Message[]; bytes: number } {
  if (format !== BATCH_FORMAT) return { messages: [message as Message], bytes: 0 };
  const raw = message as Buffer;
  const { content, multiple } = rhea.message.decode(raw).body as {
    content: Buffer | Buffer[];
    multiple?: boolean;
  };
  const encoded = multiple ? (content as Buffer[]) : [content as Buffer];
  return {
    messages: encoded.map((one) => rhea.message.decode(one) as unknown as Message),
    bytes: raw.length,
  };
}

/** The body of an event, as text. */
export function textOf({ body }: Message): string {
  const { content } = body as Section;
  return Buffer.isBuffer(content) ? content.toString('utf8') : String(body);
}

function listenBy(
  transport: EventHubsOptions['transport'],
  tls: KeyPair | undefined,
  welcome: (line: Line) => void,
  onSocket: (socket: Socket) => void,
): Server {
  if (transport === 'plain')
    return createServer((socket) => {
      onSocket(socket);
      welcome(lineOverStream(socket));
    });
  if (transport === 'tls') {
    const server = createTlsServer(tls ?? {}, (socket) => welcome(lineOverStream(socket)));
    server.on('connection', onSocket);
    return server;
  }
  const server = tls ? createHttpsServer(tls) : createHttpServer();
  server.on('connection', onSocket);
  const sockets = new WebSocketServer({
    server,
    path: '/$servicebus/websocket',
    handleProtocols: (protocols) => (protocols.has('AMQPWSB10') ? 'AMQPWSB10' : false),
  });
  sockets.on('connection', (socket) => welcome(lineOverWebSocket(socket)));
  return server;
}
