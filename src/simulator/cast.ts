import {
  type Evidence,
  evidenceFoundAt,
  type FindEvidence,
  fileDetails,
  type Marks,
  type Properties,
} from './evidence.ts';
import type { Random } from './random.ts';
import { textOfMs } from './time.ts';

/** A person of the simulated company. */
export interface Person {
  readonly name: string;
  readonly account: string;
  readonly mail: string;
  readonly sid: string;
  readonly objectId: string;
}

/** A machine of the simulated company. */
export interface Host {
  readonly name: string;
  readonly dnsName: string;
  readonly address: string;
  readonly deviceId: string;
  readonly platform: string;
  readonly build: number;
  readonly version: string;
}

/** An address in the internet, of the ranges kept for documentation (RFC 5737, RFC 3849). */
export interface Place {
  readonly address: string;
  readonly country: string;
  readonly location: object;
}

/**
 * Who and what plays a part in one alert. All of it is drawn from the alert's own random stream, and drawn
 * before the template speaks, so that a new line in a template does not change the others.
 */
export interface Cast {
  readonly random: Random;
  readonly tenantId: string;
  readonly user: Person;
  readonly other: Person;
  readonly host: Host;
  readonly server: Host;
  readonly attacker: Place;
  readonly home: Place;
  /** A domain of the attacker. */
  readonly domain: string;
  readonly sha256: string;
  readonly sha1: string;
  readonly subscription: string;
  /** When it began, and when it was found: milliseconds since 1970. */
  readonly beganMs: number;
  readonly foundMs: number;
  readonly find: FindEvidence;
}

const people = [
  ['Adele', 'Vance'],
  ['Alex', 'Wilber'],
  ['Diego', 'Siciliani'],
  ['Grady', 'Archie'],
  ['Henrietta', 'Mueller'],
  ['Isaiah', 'Langer'],
  ['Johanna', 'Lorenz'],
  ['Joni', 'Sherman'],
  ['Lee', 'Gu'],
  ['Lidia', 'Holloway'],
  ['Lynne', 'Robbins'],
  ['Megan', 'Bowen'],
  ['Miriam', 'Graham'],
  ['Nestor', 'Wilke'],
  ['Patti', 'Fernandez'],
  ['Pradeep', 'Gupta'],
  ['Bjørn', 'Ødegård'],
  ['Zoë', "O'Neill"],
] as const;

const places = [
  ['NL', 'Amsterdam', null, 'Netherlands', 52.374, 4.8897],
  ['BR', 'Sao Paulo', 'SP', 'Brazil', -23.5475, -46.63611],
  ['NO', 'Oslo', null, 'Norway', 59.9127, 10.7461],
  ['US', 'Boydton', 'Virginia', 'United States', 36.6676, -78.3875],
  ['RU', null, 'Moskva', 'Russia', 55.7558, 37.6173],
  ['NG', 'Lagos', 'Lagos', 'Nigeria', 6.4541, 3.3947],
] as const;

const clients = [
  ['win11-client', 'Windows11', 22631, '23H2'],
  ['laptop-', 'Windows10', 19045, '22H2'],
  ['mac-', 'macOS', 24, '14.6'],
] as const;

const servers = [
  ['dc', 'WindowsServer2019', 17763, '1809'],
  ['sql', 'WindowsServer2022', 20348, '21H2'],
  ['web', 'Linux', 22, '22.04'],
] as const;

const lures = ['micros0ft-login', 'contoso-share', 'fabrikam-invoice', 'parcel-tracking', 'teams-meeting'];
const domainSid = 'S-1-5-21-1987310441-1231233455-2345234523';

export function drawCast(random: Random, tenantId: string, foundMs: number): Cast {
  return {
    random,
    tenantId,
    user: person(random),
    other: person(random),
    host: host(random, clients),
    server: host(random, servers),
    attacker: place(random, '203.0.113.'),
    home: place(random, '198.51.100.'),
    domain: `${random.pick(lures)}-${random.hex(3)}.example`,
    sha256: random.hex(64),
    sha1: random.hex(40),
    subscription: random.guid(),
    beganMs: foundMs - random.int(20_000, 900_000),
    foundMs,
    find: evidenceFoundAt(textOfMs(foundMs)),
  };
}

function person(random: Random): Person {
  const index = random.int(0, people.length - 1);
  const [first, last] = people[index]!;
  const account = `${first}${last[0]}`.normalize('NFD').replace(/[^a-z]/gi, '');
  return {
    name: `${first} ${last}`,
    account: account.toLowerCase(),
    mail: `${account}@contoso.com`,
    // The same person has the same ids in every alert.
    sid: `${domainSid}-${1100 + index}`,
    objectId: `48d31887-5fad-4d73-a9f5-3c356e68${String(1000 + index)}`,
  };
}

function host(random: Random, kinds: readonly (readonly [string, string, number, string])[]): Host {
  const [prefix, platform, build, version] = random.pick(kinds);
  const number = random.int(1, 60);
  const name = `${prefix}${String(number).padStart(2, '0')}`;
  return {
    name,
    dnsName: `${name}.contoso.local`,
    address: `10.0.${prefix.length}.${number}`,
    deviceId: `73e7e2de709dff64ef64b1d0c30e67fab632${String(build).padStart(5, '0').slice(-2)}${String(number).padStart(2, '0')}`,
    platform,
    build,
    version,
  };
}

function place(random: Random, range: string): Place {
  const [country, city, state, countryName, latitude, longitude] = random.pick(places);
  const address = random.chance(0.15) ? `2001:db8:${random.hex(4)}::${random.hex(2)}` : undefined;
  return {
    address: address ?? `${range}${random.int(1, 254)}`,
    country,
    location: { city, state, countryName, latitude, longitude },
  };
}

/** The complex type `userAccount`. */
export function userAccount(someone: Person): object {
  return {
    accountName: someone.account,
    domainName: 'contoso',
    userSid: someone.sid,
    azureAdUserId: someone.objectId,
    userPrincipalName: someone.mail,
    displayName: someone.name,
    activeDirectoryObjectGuid: null,
    resourceAccessEvents: [],
  };
}

export function userEvidence(cast: Cast, someone: Person, marks: Marks = {}): Evidence {
  return cast.find('user', { userAccount: userAccount(someone), ...marks });
}

export function deviceEvidence(cast: Cast, machine: Host, marks: Marks = {}): Evidence {
  return cast.find('device', {
    azureAdDeviceId: null,
    defenderAvStatus: 'updated',
    deviceDnsName: machine.dnsName,
    dnsDomain: 'contoso.local',
    firstSeenDateTime: '2023-06-19T07:12:33.9127311Z',
    healthStatus: 'active',
    hostName: machine.name,
    ipInterfaces: [machine.address, 'fe80::4c1a:3b2:1d6e:8d21', '127.0.0.1', '::1'],
    lastExternalIpAddress: cast.home.address,
    lastIpAddress: machine.address,
    loggedOnUsers: [{ accountName: cast.user.account, domainName: 'CONTOSO' }],
    mdeDeviceId: machine.deviceId,
    ntDomain: 'CONTOSO',
    onboardingStatus: 'onboarded',
    osBuild: machine.build,
    osPlatform: machine.platform,
    rbacGroupId: 0,
    rbacGroupName: 'UnassignedGroup',
    riskScore: 'medium',
    version: machine.version,
    ...marks,
  });
}

export function ipEvidence(cast: Cast, where: Place, marks: Marks = {}): Evidence {
  return cast.find('ip', {
    countryLetterCode: where.country,
    ipAddress: where.address,
    location: where.location,
    ...marks,
  });
}

export function localIpEvidence(cast: Cast, address: string): Evidence {
  return cast.find('ip', { ipAddress: address });
}

/** A process on the host, started by the user out of Explorer. */
export function processEvidence(
  cast: Cast,
  image: { readonly fileName: string; readonly filePath: string },
  processCommandLine: string,
  marks: Marks = {},
): Evidence {
  return cast.find('process', {
    detectionStatus: 'detected',
    imageFile: fileDetails({ ...image, fileSize: 491_520, sha1: cast.sha1, sha256: cast.sha256 }),
    mdeDeviceId: cast.host.deviceId,
    parentProcessCreationDateTime: textOfMs(cast.beganMs - 3_600_000),
    parentProcessId: cast.random.int(1000, 9000),
    parentProcessImageFile: fileDetails({
      fileName: 'explorer.exe',
      filePath: 'C:\\Windows',
      fileSize: 5_396_480,
      filePublisher: 'Microsoft Corporation',
    }),
    processCommandLine,
    processCreationDateTime: textOfMs(cast.beganMs),
    processId: cast.random.int(1000, 30_000),
    userAccount: userAccount(cast.user),
    ...marks,
  });
}

export function fileEvidence(cast: Cast, fileName: string, filePath: string, marks: Marks = {}): Evidence {
  return cast.find('file', {
    detectionStatus: 'detected',
    fileDetails: fileDetails({
      fileName,
      filePath,
      fileSize: cast.random.int(2_000, 4_000_000),
      sha1: cast.sha1,
      sha256: cast.sha256,
    }),
    mdeDeviceId: cast.host.deviceId,
    ...marks,
  });
}

export function mailboxEvidence(cast: Cast, someone: Person, marks: Marks = {}): Evidence {
  return cast.find('mailbox', {
    displayName: someone.name,
    primaryAddress: someone.mail,
    upn: someone.mail,
    userAccount: userAccount(someone),
    ...marks,
  });
}

/** An application of Microsoft 365 by its number in the catalogue of Defender for Cloud Apps. */
export function cloudApplicationEvidence(cast: Cast, appId: number, displayName: string): Evidence {
  return cast.find('cloudApplication', {
    appId,
    displayName,
    instanceName: displayName,
    saasAppId: appId,
  });
}

/** A mail that the user got from the attacker. */
export function messageEvidence(
  cast: Cast,
  subject: string,
  marks: Properties<'analyzedMessage'> = {},
): Evidence {
  const sender = `billing@${cast.domain}`;
  const urls = [`https://${cast.domain}/owa?id=${cast.random.int(1, 9999)}&u=${cast.user.account}`];
  return cast.find('analyzedMessage', {
    antiSpamDirection: 'Inbound',
    deliveryAction: 'Delivered',
    deliveryLocation: 'Inbox',
    internetMessageId: `<${cast.random.guid()}@${cast.domain}>`,
    language: 'en',
    networkMessageId: cast.random.guid(),
    p1Sender: { emailAddress: `bounce@${cast.domain}`, displayName: null, domainName: cast.domain },
    p2Sender: { emailAddress: sender, displayName: 'Billing', domainName: cast.domain },
    receivedDateTime: textOfMs(cast.beganMs),
    recipientEmailAddress: cast.user.mail,
    senderIp: cast.attacker.address,
    subject,
    threatDetectionMethods: ['UrlDetonation'],
    threats: ['ZapPhish', 'NormalPhish'],
    urlCount: urls.length,
    urls,
    urn: `urn:MailEntity:${cast.random.hex(32)}`,
    ...marks,
  });
}

export function azureResourceEvidence(
  cast: Cast,
  group: string,
  resourceType: string,
  resourceName: string,
  marks: Marks = {},
): Evidence {
  return cast.find('azureResource', {
    resourceId: `/subscriptions/${cast.subscription}/resourceGroups/${group}/providers/${resourceType}/${resourceName}`,
    resourceName,
    resourceType,
    ...marks,
  });
}
