import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { testCertificates } from '../support/certificates.ts';
import { startEventHubs } from '../support/event-hubs/index.ts';
import { testFolder } from '../support/folder.ts';
import { startReceiver } from '../support/http-receiver.ts';
import { RelayProcess } from '../support/relay-process.ts';

const ALERTS = 30;

it('the built program has what it imports when it is needed only: Event Hubs over AMQP and over WebSockets, and zstd', async () => {
  const folder = testFolder();
  const { ca, server } = await testCertificates();
  writeFileSync(join(folder, 'sinks-ca.pem'), ca);
  const [amqp, sockets] = await Promise.all(
    (['tls', 'websocket'] as const).map((transport) => startEventHubs({ transport, tls: server.good })),
  );
  const http = await startReceiver();
  const simulator = await startSimulator({ alerts: ALERTS, rate: 0, quota: false, seed: 20261128 });
  onTestFinished(async () => {
    await Promise.all([amqp!.close(), sockets!.close(), http.close(), simulator.close()]);
  });
  writeFileSync(join(folder, 'amqp'), amqp!.connectionString());
  writeFileSync(join(folder, 'websockets'), sockets!.connectionString());
  const hub = (transport: string) => `
  - name: ${transport}
    type: event-hubs
    eventHub: alerts
    connectionString: \${file:${transport}}
    transport: ${transport}
    tls: { ca: sinks-ca.pem }
    startFrom: journal
    selfEvents: false`;
  const { config } = await writeSimulatorFiles(
    folder,
    simulator,
    `sinks:${hub('amqp')}${hub('websockets')}
  - name: http
    type: http
    url: ${http.origin}/
    compression: zstd
    startFrom: journal
    selfEvents: false
server: { listen: 'off' }
`,
  );
  const relay = new RelayProcess(config);
  onTestFinished(async () => void (await relay.end('SIGKILL')));
  relay.start();
  const idsIn = (events: readonly string[]) =>
    new Set(events.flatMap((event) => /"id":"([^"]+)"/.exec(event)?.slice(1) ?? [])).size;
  const told = () => [amqp!.texts(), sockets!.texts(), http.taken].map(idsIn);
  const everywhere = () => {
    if (!relay.running) throw new Error(relay.log.slice(-2_000));
    return told();
  };
  await expect.poll(everywhere, { timeout: 30_000 }).toEqual([ALERTS, ALERTS, ALERTS]);
  expect(await relay.end('SIGTERM')).toBe(0);
}, 60_000);
