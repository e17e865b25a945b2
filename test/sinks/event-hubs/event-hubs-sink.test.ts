import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Rendered, Sink } from '../../../src/core/sink.ts';
import { Closers } from '../../../src/lib/closers.ts';
import { eventHubs } from '../../../src/sinks/event-hubs/index.ts';
import { describeSinkContract, rendered } from '../../contracts/sink.contract.ts';
import { testCertificates } from '../../support/certificates.ts';
import {
  aJwt,
  type EventHubs,
  type EventHubsOptions,
  KEY,
  SERVER_BUSY,
  type Step,
  startEventHubs,
  textOf,
} from '../../support/event-hubs/index.ts';
import { testFolder } from '../../support/folder.ts';
import { collectLog } from '../../support/log.ts';
import { startTunnel } from '../../support/tunnel.ts';
import { utf8 } from '../../support/utf8.ts';

const never = new AbortController().signal;
/** Long enough for a machine that has much else to do. */
const AMPLE_MS = 20_000;
/** For what is mute: all of it is waited out. */
const SHORT_MS = 500;

interface Changes {
  readonly settings?: object;
  readonly timeoutMs?: number;
  readonly token?: () => Promise<string>;
}

function aSink(hubs: EventHubs, { settings = {}, timeoutMs = AMPLE_MS, token }: Changes = {}): Sink {
  const login = token
    ? { namespace: `localhost:${hubs.port}`, tenant: 'contoso' }
    : { connectionString: hubs.connectionString() };
  const parsed = eventHubs.schema.parse({ type: 'event-hubs', eventHub: 'alerts', ...login, ...settings });
  const credential = () => ({ token: token ?? (async () => ''), close() {} });
  const log = collectLog();
  return eventHubs.create(parsed, { name: 'hub', log, timeoutMs, credential });
}

/** The stand-in by TLS or WebSockets, and what a sink needs to trust it. */
async function startSecured(transport: 'tls' | 'websocket') {
  const { ca, server } = await testCertificates();
  const hubs = await startEventHubs({ transport, tls: server.good });
  const file = join(testFolder(), 'ca.pem');
  writeFileSync(file, ca);
  const settings = { tls: { ca: file }, ...(transport === 'websocket' && { transport: 'websockets' }) };
  return { hubs, settings };
}

const failures: Readonly<Record<string, NonNullable<EventHubs['always']>>> = {
  'link detached': 'detach',
  'connection closed': 'close',
  'token that has run out': 'expire',
  'busy server': SERVER_BUSY,
};

async function breakable(hubs: EventHubs, changes: Changes = {}) {
  return {
    sink: aSink(hubs, changes),
    secrets: [KEY],
    arrived: () => inOrderOfNumbers(hubs),
    breakDown(how = '') {
      hubs.always = failures[how] ?? 'cut';
    },
    refuse(message: string) {
      const refusal = { condition: 'com.microsoft:argument-error', description: 'no such event' };
      hubs.judge = (texts) => (texts.includes(message) ? refusal : undefined);
    },
    mend() {
      hubs.always = undefined;
    },
    stop: () => hubs.close(),
  };
}

/** Between different ids Event Hubs keeps no order: the texts as a reader has them who sorts by the running number. */
function inOrderOfNumbers(hubs: EventHubs): string[] {
  const { events } = hubs.hub('alerts');
  const numbers = events.map(({ message }) => Number(message.application_properties?.sequence));
  const texts = hubs.texts();
  return texts
    .map((text, index) => ({ text, index, number: numbers[index] as number }))
    .sort((a, b) => generation(a.index) - generation(b.index) || a.number - b.number)
    .map(({ text }) => text);

  /** What is sent again under the same number comes after what was there. */
  function generation(index: number): number {
    return numbers.slice(0, index).filter((number) => number === numbers[index]).length;
  }
}

describeSinkContract('event-hubs', { confirmsAtOnce: true, failures: Object.keys(failures) }, async () =>
  breakable(await startEventHubs()),
);

describeSinkContract('event-hubs over WebSockets', { confirmsAtOnce: true }, async () => {
  const { hubs, settings } = await startSecured('websocket');
  return breakable(hubs, { settings });
});

describe('EventHubsSink', () => {
  let closers: Closers;
  beforeEach(() => {
    closers = new Closers();
  });
  afterEach(() => closers.close());

  async function start(options: EventHubsOptions & Changes = {}) {
    const hubs = closers.add('hubs', await startEventHubs(options));
    const sink = closers.add('sink', aSink(hubs, options));
    return { hubs, sink };
  }

  const failureOf = async (run: Promise<unknown>): Promise<UnavailableError> => {
    const error = await run.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(UnavailableError);
    return error as UnavailableError;
  };

  const send = async (sink: Sink, batch: readonly Rendered[]) => (await sink.send(batch, never)).confirmed;

  /** Sends as the pipeline does: again, from the first that is not confirmed, until all is. */
  async function sendThrough(sink: Sink, batch: readonly Rendered[], failures: string[] = []) {
    for (;;) {
      try {
        await sink.open(never);
        return { result: await send(sink, batch), failures };
      } catch (error) {
        failures.push((error as Error).message);
        await sink.close();
      }
    }
  }

  it('by TLS, with a CA of our own', async () => {
    const { hubs, settings } = await startSecured('tls');
    closers.add('hubs', hubs);
    const sink = closers.add('sink', aSink(hubs, { settings }));
    await sink.open(never);
    expect(await send(sink, rendered(2))).toEqual({ refused: [] });
    expect(inOrderOfNumbers(hubs)).toEqual(['event 1', 'event 2']);
    const stranger = closers.add('stranger', aSink(hubs));
    const error = await failureOf(stranger.open(never));
    expect(error.message).toContain('tls.ca');
    expect(error.reason).toBe('auth');
  });

  it('tells beside the text what it is', async () => {
    const { hubs, sink } = await start();
    await sink.open(never);
    const [one] = rendered(1, 7, () => '{"id":"é"}');
    await send(sink, [{ ...one!, events: utf8('{"part":1}', 'CEF:0|part 2') }]);
    const [first, second] = hubs.hub('alerts').events.map(({ message }) => message);
    expect(first).toMatchObject({
      content_type: 'application/json',
      message_id: 'contoso/alerts/alert-7/2025-03-04T10:20:01.3266667Z/0/1',
      correlation_id: 'alert-7',
      application_properties: { kind: 'alert', tenant: 'contoso', sequence: 7, part: 1, parts: 2 },
    });
    expect(second).toMatchObject({
      content_type: 'text/plain',
      application_properties: { sequence: 8, part: 2 },
    });
  });

  it('one id stays in one partition, in order', async () => {
    const { hubs, sink } = await start();
    await sink.open(never);
    const batch = rendered(60).map((one, index) => {
      const id = `alert-${index % 7}`;
      return { ...one, record: { ...one.record, id } };
    });
    await send(sink, batch);
    for (let id = 0; id < 7; id++) {
      const found = hubs
        .hub('alerts')
        .events.filter(({ message }) => message.correlation_id === `alert-${id}`);
      expect(new Set(found.map(({ partition }) => partition)).size).toBe(1);
      const numbers = found.map(({ message }) => Number(message.application_properties?.sequence));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(hubs.hub('alerts').partitions.filter(({ events }) => events.length > 0).length).toBeGreaterThan(1);
  });

  it('a fixed key is one partition; without a key all of them are used', async () => {
    const used = (hubs: EventHubs) =>
      hubs.hub('alerts').partitions.filter(({ events }) => events.length > 0).length;
    const one = await start({ settings: { partitionKey: 'fixed', fixedKey: 'all' } });
    await one.sink.open(never);
    for (let n = 0; n < 4; n++) await send(one.sink, rendered(10, 1 + n * 10));
    expect(used(one.hubs)).toBe(1);
    expect(one.hubs.texts()).toEqual(rendered(40).flatMap(({ events }) => events.map(String)));
    const all = await start({ settings: { partitionKey: 'none' } });
    await all.sink.open(never);
    for (let n = 0; n < 4; n++) await send(all.sink, rendered(10, 1 + n * 10));
    expect(used(all.hubs)).toBe(4);
  });

  it('cuts batches to what the link takes, and refuses a record that is larger alone', async () => {
    const { hubs, sink } = await start({
      maxMessageBytes: 10_000,
      settings: { partitionKey: 'fixed', fixedKey: 'all' },
    });
    await sink.open(never);
    const large = (number: number) => `${number} `.padEnd(number === 3 ? 20_000 : 4_000, 'x');
    const result = await send(sink, rendered(6, 1, large));
    expect(result.refused).toMatchObject([{ index: 2, reason: 'too-large' }]);
    expect(result.refused[0]?.detail).toContain('maxEventBytes');
    expect(hubs.texts().map((text) => text[0])).toEqual(['1', '2', '4', '5', '6']);
  });

  it('S5: a record is refused whole when one of its parts is too large', async () => {
    const { hubs, sink } = await start({ maxMessageBytes: 10_000 });
    await sink.open(never);
    const [one] = rendered(1);
    const result = await send(sink, [{ ...one!, events: utf8('part 1', 'x'.repeat(20_000)) }]);
    expect(result.refused).toMatchObject([{ index: 0, reason: 'too-large' }]);
    expect(hubs.texts()).toEqual([]);
  });

  it('S5: a severity of any length loses nothing, and parts that each fill a link arrive whole and in order', async () => {
    const { hubs, sink } = await start({ maxMessageBytes: 10_000 });
    await sink.open(never);
    const [odd, two] = rendered(2);
    const severity = 'é'.repeat(20_000);
    const batch = [
      { ...odd!, record: { ...odd!.record, severity } },
      { ...two!, events: utf8('1'.repeat(7_900), '2'.repeat(7_900), '3'.repeat(7_900)) },
    ];
    expect(await send(sink, batch)).toEqual({ refused: [] });
    const messages = hubs.hub('alerts').events.map(({ message }) => message);
    const own = messages.filter(({ correlation_id }) => correlation_id === two!.record.id);
    expect(own.map(({ application_properties }) => application_properties?.part)).toEqual([1, 2, 3]);
    expect(own.map((message) => textOf(message).length)).toEqual([7_900, 7_900, 7_900]);
    expect(hubs.texts()).toContain('event 1');
  });

  it('finds the one record of a batch that the hub will not have', async () => {
    const { hubs, sink } = await start({ settings: { partitionKey: 'fixed', fixedKey: 'all' } });
    hubs.judge = (texts) =>
      texts.includes('event 2')
        ? { condition: 'com.microsoft:argument-error', description: 'not this one' }
        : undefined;
    await sink.open(never);
    const result = await send(sink, rendered(3));
    expect(result.refused).toMatchObject([{ index: 1, reason: 'rejected' }]);
    expect(result.refused[0]?.detail).toContain('not this one');
    expect(hubs.texts()).toEqual(['event 1', 'event 3']);
  });

  it('obeys ServerBusy, and does not send again what was accepted', async () => {
    const { hubs, sink } = await start();
    hubs.judge = (texts) => (hubs.texts().length >= 5 && texts[0] !== 'event 1' ? SERVER_BUSY : undefined);
    await sink.open(never);
    const error = await failureOf(sink.send(rendered(30), never));
    expect(error).toMatchObject({ reason: 'throttled', retryAfterMs: 4_000 });
    expect(error.message).toContain('50002');
    hubs.judge = undefined;
    await sink.close();
    await sendThrough(sink, rendered(30));
    expect(inOrderOfNumbers(hubs)).toEqual(rendered(30).flatMap(({ events }) => events.map(String)));
  });

  it.each(['cut', 'close', 'detach', 'expire'] as const)(
    'loses nothing and keeps the order of an id when the broker comes to: %s',
    async (answer) => {
      const { hubs, sink } = await start();
      const batch = rendered(40).map((one, index) => ({
        ...one,
        record: { ...one.record, id: `alert-${index % 4}` },
      }));
      let transfers = 0;
      hubs.judge = () => (++transfers === 3 || transfers === 9 ? answer : undefined);
      const { result, failures } = await sendThrough(sink, batch);
      expect(result).toEqual({ refused: [] });
      expect(failures.length).toBeGreaterThan(0);
      if (answer === 'expire') expect(failures.join()).toContain('took its leave');
      const arrived = hubs.hub('alerts').events.map(({ message }) => ({
        id: String(message.correlation_id),
        number: Number(message.application_properties?.sequence),
      }));
      expect(new Set(arrived.map(({ number }) => number)).size).toBe(40);
      for (let id = 0; id < 4; id++) {
        const own = arrived.filter((event) => event.id === `alert-${id}`).map(({ number }) => number);
        // The last copy that a reader gets is the newest.
        expect(own.at(-1)).toBe(Math.max(...own));
      }
    },
  );

  it('comes back after links were detached and connections closed while it was idle', async () => {
    const { hubs, sink } = await start();
    await sendThrough(sink, rendered(1));
    hubs.detachAll();
    await sendThrough(sink, rendered(1, 2));
    hubs.closeAll();
    await sendThrough(sink, rendered(1, 3));
    hubs.cutAll();
    await sendThrough(sink, rendered(1, 4));
    expect(new Set(hubs.texts())).toEqual(new Set(['event 1', 'event 2', 'event 3', 'event 4']));
  });

  it.each(['connection', 'open', 'token', 'link'] satisfies Step[])(
    'S18: opening ends in time when the peer falls silent at: %s',
    async (step) => {
      const { hubs, sink } = await start({ timeoutMs: SHORT_MS });
      hubs.mutesAt = step;
      const error = await failureOf(sink.open(never));
      expect(error.reason).toBe('timeout');
      // Before the pipeline's time is over, which knows no place.
      expect(error.message).toMatch(/localhost.* within 450 ms/);
      hubs.mutesAt = undefined;
      await sendThrough(sink, rendered(1));
      expect(hubs.texts()).toEqual(['event 1']);
    },
  );

  it.each([...Object.values(failures), 'silence', undefined] as const)(
    'leaves nothing behind that waits, whatever a session ended with: %j',
    async (always) => {
      const waiting = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
      const { hubs, sink } = await start(always === 'silence' ? { timeoutMs: SHORT_MS } : {});
      const before = waiting();
      for (let times = 0; times < 3; times++) {
        hubs.always = undefined;
        // On a busy machine even opening can take longer than the short time.
        await vi.waitFor(() => sink.open(never), 10_000);
        hubs.always = always;
        await sink.send(rendered(1), never).catch(() => {});
        await sink.close();
      }
      // A loop that renews a token waits for three quarters of an hour.
      await expect.poll(waiting, { timeout: 5_000 }).toBeLessThanOrEqual(before);
    },
  );

  it('S18: sending and closing end in time when the peer falls silent', async () => {
    const { hubs, sink } = await start({ timeoutMs: SHORT_MS });
    await vi.waitFor(() => sink.open(never), 10_000);
    hubs.mutesAt = 'transfer';
    const error = await failureOf(sink.send(rendered(2), never));
    expect(error.reason).toBe('timeout');
    expect(error.message).toMatch(/localhost.* within 450 ms/);
    await sink.close();
    hubs.mutesAt = undefined;
    await sendThrough(sink, rendered(2));
    expect(hubs.texts().toSorted()).toEqual(['event 1', 'event 2']);
  });

  it('says what to do with a wrong key, and not the key', async () => {
    const { hubs } = await start();
    const wrong = 'd3Jvbmcta2V5LW9mLXRoZS1yZWxheQ==';
    const sink = closers.add(
      'sink',
      aSink(hubs, { settings: { connectionString: hubs.connectionString('alerts', wrong) } }),
    );
    const error = await failureOf(sink.open(never));
    expect(error.reason).toBe('auth');
    expect(error.message).toContain('the claim Send');
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(wrong);
  });

  it('says of a signature that is refused what to check, and no part of it', async () => {
    const { hubs } = await start();
    const signed = hubs
      .connectionString('alerts')
      .replace(
        /SharedAccessKeyName=.*?;SharedAccessKey=[^;]*/,
        'SharedAccessSignature=sr=x&sig=c2VjcmV0&se=1&skn=k',
      );
    const sink = closers.add('sink', aSink(hubs, { settings: { connectionString: signed } }));
    const error = await failureOf(sink.open(never));
    expect(error.reason).toBe('auth');
    expect(error.message).toContain('check the signature');
    expect(error.message).not.toContain('c2VjcmV0');
  });

  it('asks a proxy for an address of IPv6 in brackets', async () => {
    const { hubs } = await start();
    const tunnel = closers.add('tunnel', await startTunnel());
    tunnel.refuses = true;
    const connectionString = hubs.connectionString('alerts').replace('localhost', '[::1]');
    const settings = { connectionString, proxy: tunnel.origin, transport: 'websockets' };
    const sink = closers.add('sink', aSink(hubs, { settings }));
    await failureOf(sink.open(never));
    expect(tunnel.asked).toMatchObject([{ target: `[::1]:${hubs.port}` }]);
  });

  it('says that what answers speaks no WebSockets', async () => {
    const { hubs, settings } = await startSecured('tls');
    closers.add('hubs', hubs);
    const sink = closers.add('sink', aSink(hubs, { settings: { ...settings, transport: 'websockets' } }));
    const error = await failureOf(sink.open(never));
    expect(error.message).toContain('does not speak WebSockets');
  });

  it('says that there is no such hub', async () => {
    const { hubs } = await start();
    const sink = closers.add('sink', aSink(hubs, { settings: { eventHub: 'alarms' } }));
    const error = await failureOf(sink.open(never));
    expect(error.message).toContain('there is no such event hub; check eventHub');
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(KEY);
  });

  it('signs in with the credential of a tenant, and says which role is missing', async () => {
    const { hubs, settings } = await startSecured('tls');
    closers.add('hubs', hubs);
    let aud = 'https://graph.microsoft.com';
    const token = async () => aJwt({ aud });
    const sink = closers.add('sink', aSink(hubs, { settings, token }));
    const error = await failureOf(sink.open(never));
    expect(error.reason).toBe('auth');
    expect(error.message).toContain('Azure Event Hubs Data Sender');
    aud = 'https://eventhubs.azure.net';
    await sendThrough(sink, rendered(1));
    expect(hubs.texts()).toEqual(['event 1']);
    expect(hubs.tokens.at(-1)?.type).toBe('jwt');
  });

  it('shows a new token after the old one has expired', async () => {
    const { hubs, sink } = await start();
    await sendThrough(sink, rendered(1));
    const before = hubs.tokens.length;
    hubs.detachAll('amqp:unauthorized-access');
    await sendThrough(sink, rendered(1, 2));
    expect(hubs.tokens.length).toBeGreaterThan(before);
    expect(hubs.texts()).toEqual(['event 1', 'event 2']);
  });

  it('outlives several tokens, and nothing is lost or told twice', async () => {
    const { hubs, sink } = await start();
    let transfers = 0;
    hubs.judge = () => (++transfers % 5 === 0 ? 'expire' : undefined);
    for (let first = 1; first <= 12; first += 3)
      expect((await sendThrough(sink, rendered(3, first))).result).toEqual({ refused: [] });
    expect(hubs.tokens.length).toBeGreaterThan(2);
    expect(inOrderOfNumbers(hubs)).toEqual(rendered(12).flatMap(({ events }) => events.map(String)));
  });

  it.each(['tls', 'websocket'] as const)('goes through a proxy: %s', async (transport) => {
    const { hubs, settings } = await startSecured(transport);
    closers.add('hubs', hubs);
    const tunnel = closers.add('tunnel', await startTunnel());
    const through = { ...settings, proxy: tunnel.origin, proxyLogin: { user: 'relay', password: 'pass' } };
    const sink = closers.add('sink', aSink(hubs, { settings: through }));
    await sendThrough(sink, rendered(1));
    expect(hubs.texts()).toEqual(['event 1']);
    expect(tunnel.asked).toEqual([
      { target: `localhost:${hubs.port}`, login: `Basic ${Buffer.from('relay:pass').toString('base64')}` },
    ]);
    await sink.close();
    tunnel.refuses = true;
    const error = await failureOf(sink.open(never));
    expect(error.message).toContain('proxyLogin');
    expect(error.message).not.toContain('pass:');
  });

  it('leaves no timer behind that would keep the process', async () => {
    const { hubs, sink } = await start({ timeoutMs: SHORT_MS });
    const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;
    const before = timers();
    await sendThrough(sink, rendered(3));
    await sink.close();
    hubs.mutesAt = 'token';
    await failureOf(sink.open(never));
    await expect.poll(timers).toBeLessThanOrEqual(before);
  });
});
