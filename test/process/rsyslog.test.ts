import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { parseCef } from '../formats/cef/support.ts';
import { whyMissing } from '../peers/missing.ts';
import { type RsyslogMessage, startRsyslog } from '../peers/rsyslog.ts';
import { cefId, ticks } from '../support/received.ts';
import { RelayProcess } from '../support/relay-process.ts';

const missing = whyMissing('rsyslog-relp');
const folder = join(import.meta.dirname, '../fixtures/graph');

interface Alert {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly severity: string;
  readonly status: string;
  readonly tenantId: string;
  readonly alertWebUrl: string;
  readonly detectionSource: string;
  readonly createdDateTime: string;
  readonly lastUpdateDateTime: string;
  readonly evidence: unknown;
}

const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const fixtures: Alert[] = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
const hostile = [
  'x|10|cs1=evil',
  'one\nCEF:0|Microsoft|two|1|3|4|10|msg=forged',
  'C:\\Temp\\',
  'a\0b\u202Ec',
  'ünïcode 漢字 🛡️',
];

/** Alerts of every product, each under twenty ids, some with titles as an attacker would choose them. */
const alerts: Alert[] = Array.from({ length: 20 }, (_, copy) =>
  fixtures.map((alert, index) => ({
    ...alert,
    id: `${alert.id.slice(0, 30)}-${copy}-${index}`,
    ...(copy < hostile.length && { title: hostile[copy]! }),
  })),
).flat();

const severities: Record<string, string> = { informational: '1', low: '3', medium: '6', high: '8' };

/** What a reader of CEF must find; worked out from Microsoft's alert alone. */
function expected(alert: Alert): Record<string, string> {
  const oneLine = (text: string) => text.replaceAll(/[\n\0]/g, ' ').trim();
  return {
    Name: oneLine(alert.title),
    Severity: severities[alert.severity] ?? '5',
    // liblognorm loses the first letter of the first key.
    xternalId: cefId(alert.id),
    devicePayloadId: String(ticks(alert.lastUpdateDateTime)),
    rt: String(Date.parse(alert.lastUpdateDateTime.replace(/(\.\d{3})\d*/, '$1'))),
    cat: alert.category,
    msg: alert.description.trim(),
    cs1Label: 'alertUrl',
    cs1: alert.alertWebUrl,
    deviceExternalId: alert.tenantId,
    // What says nothing is left out.
    ...(alert.detectionSource !== 'unknownFutureValue' && { sourceServiceName: alert.detectionSource }),
    flexString1: alert.status,
    outcome: 'new',
    deviceFacility: 'simulator',
  };
}

/** Names and values of all properties, however deep. */
function propertiesOf(thing: unknown): [name: string, value: string][] {
  if (typeof thing !== 'object' || thing === null) return [];
  return Object.entries(thing).flatMap(([name, value]): [string, string][] =>
    typeof value === 'object' ? propertiesOf(value) : [[name, String(value)]],
  );
}

/** What a piece of evidence is known by: an analyst must find it in the event, under whatever key. */
const identities = new Set([
  'userPrincipalName',
  'primaryAddress',
  'recipientEmailAddress',
  'deviceDnsName',
  'mdeDeviceId',
  'ipAddress',
  'senderIp',
  'sha256',
  'url',
  'networkMessageId',
  'processCommandLine',
  'registryKey',
  'appId',
  'resourceId',
  'imageId',
]);

/** Keys that say who, where and what, and may only hold what the evidence holds. */
const entityKeys =
  'suser suid duser duid shost dhost src dst c6a2 c6a3 sntdom dntdom fname fileHash fileId'.split(' ');

/** Evidence of the alert that no event tells, and values of events that no evidence has. */
function differences(alert: Alert, events: readonly Record<string, string>[]): string[] {
  const properties = propertiesOf(alert.evidence);
  const told = events
    .flatMap((event) => Object.values(event))
    .join('\n')
    .toLowerCase();
  const missing = properties.filter(
    ([name, value]) => identities.has(name) && !told.includes(value.trim().toLowerCase()),
  );
  const known = properties.map(([, value]) => value.toLowerCase());
  // `DOMAIN\\name` is made of two properties, and the host of a URL is none of its own.
  const isKnown = (value: string) =>
    value.split('\\').every((part) => known.includes(part)) ||
    known.some((text) => text.includes(`//${value}/`));
  const forged = events.flatMap((event) =>
    entityKeys.flatMap((key) => {
      const value = event[key]?.toLowerCase();
      return value === undefined || isKnown(value) ? [] : [`${key}=${value}`];
    }),
  );
  return [...missing.map(([name, value]) => `no ${name} ${value}`), ...forged];
}

function found({ cef }: RsyslogMessage): Record<string, string> {
  if (!cef) throw new Error('liblognorm could not parse an event');
  const { Extensions, Name, Severity } = cef;
  const fields: Record<string, string> = { ...Extensions, Name: Name.trim(), Severity };
  return { ...fields, devicePayloadId: fields.devicePayloadId?.replace(/:\d+\/\d+$/, '') ?? '' };
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe.skipIf(missing)(`run, from simulate to a real rsyslog${missing ? `: ${missing}` : ''}`, () => {
  it.each([
    ['lf', 'framing: lf'],
    ['octet counting', 'framing: octet-counting'],
    ['RELP', 'transport: relp'],
  ])('S4 S6: with %s every id arrives once, and is read back field by field', async (_, setting) => {
    const directory = mkdtempSync(join(tmpdir(), 'relay-rsyslog-'));
    closers.push(() => rmSync(directory, { recursive: true, force: true }));
    const simulator = await startSimulator({ input: alerts });
    closers.push(() => simulator.close());
    const isRelp = setting === 'transport: relp';
    const rsyslog = await startRsyslog({ cef: true, relp: isRelp });
    closers.push(() => rsyslog.stop());
    const sink = `sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${isRelp ? rsyslog.relpPort : rsyslog.port}
    ${setting}
    startFrom: journal
server: { listen: 'off' }
`;
    const { config } = await writeSimulatorFiles(directory, simulator, sink);
    const relay = new RelayProcess(config);
    closers.push(() => relay.end('SIGKILL'));
    relay.start();
    await rsyslog.arrived(alerts.length);
    // A stop in good order confirms what is out; so what has not arrived by then never will.
    await expect
      .poll(() => new Set(rsyslog.messages().map((message) => found(message).xternalId)).size)
      // … and that the relay has started.
      .toBe(alerts.length + 1);
    expect(await relay.end('SIGTERM'), relay.log).toBe(0);

    const messages = rsyslog.messages();
    for (const message of messages) {
      // Two parsers that share nothing agree on every key, those of the evidence too.
      const { xternalId, ...rest } = message.cef?.Extensions ?? {};
      const { extension } = parseCef(message.msg);
      expect({ externalId: xternalId, ...rest }).toEqual(Object.fromEntries(extension));
    }
    const byId = Map.groupBy(messages, (message) => found(message).xternalId);
    for (const alert of alerts) {
      const events = byId.get(cefId(alert.id)) ?? [];
      const parts = events.map(({ cef }) => /:(\d+)\/(\d+)$/.exec(cef?.Extensions.devicePayloadId ?? ''));
      expect(events.length, alert.id).toBe(Number(parts[0]?.[2] ?? 1));
      // The fields of an alert may stand in any of its parts; in each where they stand they are right.
      const fields = Object.assign({}, ...events.toReversed().map(found));
      expect(fields).toMatchObject(expected(alert));
      expect(differences(alert, events.map(found)), alert.id).toEqual([]);
    }
    const numbers = messages.map(({ sd }) => Number(/sequenceId="(\d+)"/.exec(sd)?.[1]));
    expect(numbers).toEqual(messages.map((_, index) => index + 1));
  });
});
