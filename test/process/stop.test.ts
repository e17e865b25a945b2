/** A relay that is asked to end, as a process: at any moment, whatever it waits for. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { neverClose, neverRead, readAll, type Script, startCollector } from '../support/collectors.ts';
import { testFolder } from '../support/folder.ts';
import { judge } from '../support/oracle.ts';
import { RelayProcess } from '../support/relay-process.ts';
import { CLIENT_ID, type Reply, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

const TIMEOUT = { timeout: 20_000 };

function sinkTo(port: number, confirm = '{ every: 300ms }'): string {
  return `sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${port}
    startFrom: journal
    selfEvents: false
    confirm: ${confirm}
    delivery: { timeout: 1h }
server: { listen: 'off' }
`;
}

/** A relay between a simulator and a receiver; it waits an hour for a confirmation. */
async function scene(
  script: Script,
  alerts: { alerts: number; rate: number },
  grace: string,
  confirm?: string,
) {
  const simulator = await startSimulator({ ...alerts, quota: false });
  onTestFinished(() => simulator.close());
  const receiver = await startCollector('lf', { script });
  onTestFinished(() => receiver.close());
  const rest = `${sinkTo(receiver.port, confirm)}stop: { grace: ${grace} }\n`;
  const { config } = await writeSimulatorFiles(testFolder(), simulator, rest);
  return { simulator, receiver, config, relay: aRelay(config) };
}

function aRelay(config: string): RelayProcess {
  const relay = new RelayProcess(config);
  onTestFinished(() => void relay.end('SIGKILL'));
  return relay;
}

const starts = ({ log }: RelayProcess) => log.split('"msg":"starting"').length - 1;

describe('a relay that is asked to end', () => {
  it('ends well at any moment, and then repeats nothing', async () => {
    const { simulator, receiver, relay } = await scene(readAll, { alerts: 150, rate: 20 }, '10s');
    for (let count = 1; count <= 5; count++) {
      relay.start();
      await expect.poll(() => starts(relay), TIMEOUT).toBe(count);
      await sleep(Math.random() * 1_000);
      expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
    }
    relay.start();
    // Before that nobody listens to the signal, and there may be nothing left to wait for.
    await expect.poll(() => starts(relay), TIMEOUT).toBe(6);
    await expect.poll(() => simulator.account.pending, TIMEOUT).toBe(0);
    await expect.poll(() => judge(simulator.account, receiver.events).lost, TIMEOUT).toEqual([]);
    expect(await relay.end('SIGTERM')).toBe(0);
    expect(judge(simulator.account, receiver.events)).toMatchObject({
      duplicated: 0,
      lost: [],
    });
    expect(relay.log.match(/"msg":"stopped"/g)).toHaveLength(6);
    expect(relay.log).not.toContain('"level":"error"');
  }, 60_000);

  it('repeats nothing either when it confirms by delay, to a receiver that answers a close', async () => {
    const byDelay = '{ by: delay, after: 1h }';
    const { simulator, receiver, relay } = await scene(readAll, { alerts: 20, rate: 0 }, '10s', byDelay);
    relay.start();
    await receiver.until((events) => events.length >= 20);
    expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
    expect(relay.log).toContain('nothing is waiting');
    const { connections } = receiver;
    relay.start();
    await expect.poll(() => receiver.connections, TIMEOUT).toBeGreaterThan(connections);
    expect(await relay.end('SIGTERM')).toBe(0);
    expect(judge(simulator.account, receiver.events)).toMatchObject({ duplicated: 0, lost: [] });
  });

  it.each([
    ['closes', neverClose],
    ['reads', neverRead],
  ])(
    'ends after stop.grace when the receiver never %s, and delivers at the next start',
    async (_, script) => {
      const { simulator, receiver, relay } = await scene(script, { alerts: 5, rate: 0 }, '500ms');
      relay.start();
      // What it asks for two more things after has been kept (R2).
      const { answers } = simulator.account;
      const since = () => {
        const given = answers.findIndex(({ alerts }) => alerts.length > 0);
        return given < 0 ? 0 : answers.length - 1 - given;
      };
      await expect.poll(since, TIMEOUT).toBeGreaterThan(1);
      expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
      expect(relay.log).toContain('5 records wait for siem; delivery goes on at the next start');
      receiver.play(readAll);
      const before = receiver.events.length;
      relay.start();
      await receiver.until((events) => events.length >= before + 5);
      expect(await relay.end('SIGTERM')).toBe(0);
    },
  );

  const silence: Reply = () => {};
  it.each([
    ['Graph', { graph: () => silence }],
    ['the token authority', { graph: () => silence, token: () => silence }],
  ])('ends while %s does not answer', async (_, script) => {
    const { settings, graphAsked, tokensAsked } = await scriptGraph(script);
    const receiver = await startCollector('lf', { script: readAll });
    onTestFinished(() => receiver.close());
    const simulator = await startSimulator({ alerts: 1 });
    onTestFinished(() => simulator.close());
    // As the simulator's, but another Graph.
    const { config, ca } = await writeSimulatorFiles(testFolder(), simulator, sinkTo(receiver.port));
    const text = readFileSync(config, 'utf8').replaceAll(simulator.url, settings.graphEndpoint!);
    writeFileSync(
      config,
      text
        .replace(/tenantId: .*/, `tenantId: ${TENANT_ID}`)
        .replace(/clientId: .*/, `clientId: ${CLIENT_ID}`),
    );
    writeFileSync(ca, readFileSync(settings.ca!));
    const relay = aRelay(config);
    relay.start();
    const asked = 'token' in script ? tokensAsked : graphAsked;
    await expect.poll(() => asked.length, TIMEOUT).toBeGreaterThan(0);
    expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
    expect(relay.log).toContain('"msg":"stopped"');
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends at once when it is asked again, by %s with exit code %i', async (second, exitCode) => {
    const { receiver, relay } = await scene(neverClose, { alerts: 5, rate: 0 }, '1h');
    relay.start();
    await expect.poll(() => receiver.events.length, TIMEOUT).toBeGreaterThanOrEqual(5);
    process.kill(relay.pid!, 'SIGTERM');
    await expect.poll(() => relay.log, TIMEOUT).toContain('"msg":"stopping"');
    // What comes within half a second is taken for an echo of the first one.
    await sleep(600);
    expect(relay.running).toBe(true);
    expect(await relay.end(second)).toBe(exitCode);
  });
});
