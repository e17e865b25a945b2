import { type EventHubClientOptions, EventHubProducerClient } from '@azure/event-hubs';
import { orAbort } from '../../lib/wait.ts';
import type { Credential } from '../../net/credential.ts';
import { expiresMs } from '../../net/token.ts';
import { parseConnectionString } from './connection-string.ts';
import { watchFarewell } from './farewell.ts';
import type { Wire } from './wire.ts';

export type { EventDataBatch } from '@azure/event-hubs';

/** Who we are, to Event Hubs. */
export type Login =
  | { readonly connectionString: string }
  | { readonly host: string; readonly credential: Credential };

/** The SDK's producer on a connection of ours. */
export interface Producer {
  readonly client: EventHubProducerClient;
  /** Aborts when the far end has taken its leave, or the connection has ended. */
  readonly ended: AbortSignal;
  /** Lets go of it, in good order if that is quick. */
  close(): Promise<void>;
}

/** Our own time-out of a step says where it was, and must come before the SDK's. */
const LATER_MS = 1_000;
/** What the SDK may take to say goodbye, at most. */
const GOODBYE_MS = 1_000;
/** And that of the time of a step: after one that failed there must be time left to say why. */
const GOODBYE_SHARE = 0.05;
/** The SDK renews a token two minutes before its end; one that lasts no longer would be asked for without a pause. */
const SHORTEST_TOKEN_MS = 180_000;

type WebSockets = NonNullable<EventHubClientOptions['webSocketOptions']>;

/**
 * @param timeoutMs bounds each step of the SDK
 * @throws {Error} with a message for people
 */
export function makeProducer(login: Login, eventHub: string, wire: Wire, timeoutMs: number): Producer {
  const ended = new AbortController();
  const options: EventHubClientOptions = {
    // Trying again is done by the relay, without end.
    retryOptions: { maxRetries: 0, timeoutInMs: timeoutMs + LATER_MS },
    webSocketOptions: { webSocket: adopt(wire, () => ended.abort()) },
  };
  const client = clientFor(login, eventHub, ended.signal, options);
  return {
    client,
    ended: ended.signal,
    async close() {
      const goodbye = AbortSignal.timeout(Math.min(GOODBYE_MS, Math.ceil(timeoutMs * GOODBYE_SHARE)));
      // It waits for a peer that has fallen silent for a minute.
      await orAbort(client.close(), goodbye).catch(() => {});
      wire.destroy();
      ended.abort();
      stopRenewing(client);
    },
  };
}

/**
 * A link that could not say goodbye goes on renewing its token for ever, and keeps all that belonged to it in memory (SDK
 * 6.0: `EventHubSender.close` stops that only after a goodbye that went well). There is no other way to its loop than this.
 */
function stopRenewing(client: EventHubProducerClient): void {
  const { _sendersMap: senders } = client as unknown as {
    readonly _sendersMap?: ReadonlyMap<string, { readonly authLoop?: { stop(): void } }>;
  };
  for (const { authLoop } of senders?.values() ?? []) authLoop?.stop();
}

function clientFor(login: Login, eventHub: string, ended: AbortSignal, options: EventHubClientOptions) {
  if ('connectionString' in login) {
    const { host, keyName, key, signature } = parseConnectionString(login.connectionString);
    const secret =
      signature === undefined
        ? `SharedAccessKeyName=${keyName};SharedAccessKey=${key}`
        : `SharedAccessSignature=${signature}`;
    // Without what only matters for connecting: that is done. With another hub's name the SDK throws, key and all.
    return new EventHubProducerClient(`Endpoint=sb://${host}/;${secret}`, eventHub, options);
  }
  const { host, credential } = login;
  const getToken = async (scopes: string | string[]) => {
    const token = await credential.token(String(scopes), { signal: ended });
    return { token, expiresOnTimestamp: Math.max(expiresMs(token) ?? 0, Date.now() + SHORTEST_TOKEN_MS) };
  };
  return new EventHubProducerClient(host, eventHub, { getToken }, options);
}

/**
 * What the SDK takes for a class of WebSockets: the first of it is the wire, which is open already. There is no second one:
 * who has lost a connection opens the sink again.
 */
function adopt(wire: Wire, onEnd: () => void): NonNullable<WebSockets['webSocket']> {
  let isTaken = false;
  class Adopted {
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: Buffer }) => void) | null = null;
    onclose: (() => void) | null = null;
    onerror: ((error: Error) => void) | null = null;

    constructor() {
      const isFirst = !isTaken;
      isTaken = true;
      setImmediate(() => {
        if (!isFirst) return this.onclose?.();
        // After the SDK, which knows why.
        const watch = watchFarewell(
          () => setImmediate(onEnd),
          () => wire.destroy(),
        );
        wire.listen(
          (data) => {
            this.onmessage?.({ data });
            watch(data);
          },
          () => {
            onEnd();
            this.onclose?.();
          },
        );
        this.onopen?.();
      });
    }

    send(data: Uint8Array): void {
      wire.write(data);
    }

    close(): void {
      wire.end();
    }
  }
  return Adopted as unknown as NonNullable<WebSockets['webSocket']>;
}
