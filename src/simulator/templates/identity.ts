import {
  type Cast,
  cloudApplicationEvidence,
  deviceEvidence,
  ipEvidence,
  localIpEvidence,
  userAccount,
  userEvidence,
} from '../cast.ts';
import { textOfMs } from '../time.ts';
import type { Product, Template } from './template.ts';

const identity: Product = {
  product: 'Microsoft Defender for Identity',
  serviceSource: 'microsoftDefenderForIdentity',
  detectionSource: 'microsoftDefenderForIdentity',
  idPrefix: 'aa',
  providerId: 'guid',
};

const entra: Product = {
  product: 'Microsoft Entra ID Protection',
  serviceSource: 'azureAdIdentityProtection',
  detectionSource: 'azureAdIdentityProtection',
  idPrefix: 'ad',
  providerId: 'hex64',
};

const notInvestigated = () => ({ investigationState: 'unsupportedAlertType' });

/** The attack on a domain controller that the templates of this product have in common. */
const onDomain = (cast: Cast) => [
  userEvidence(cast, cast.user, { roles: ['compromised'], detailedRoles: ['Source account'] }),
  deviceEvidence(cast, cast.host, { roles: ['source'], detailedRoles: ['Source device'] }),
  deviceEvidence(cast, cast.server, { roles: ['destination'], detailedRoles: ['Destination device'] }),
  cast.find('activeDirectoryDomain', { activeDirectoryDomainName: 'contoso.local' }),
  localIpEvidence(cast, cast.host.address),
];

export const goldenTicket: Template = {
  ...identity,
  detectorId: '2039',
  category: 'CredentialAccess',
  severity: 'high',
  mitreTechniques: ['T1558.001'],
  title: () => 'Suspected Golden Ticket usage (ticket anomaly)',
  description: (cast) =>
    `Suspicious usage of ${cast.user.name}'s Kerberos ticket, indicating a potential Golden Ticket attack, was detected.`,
  evidence: (cast) => [
    ...onDomain(cast),
    cast.find('securityGroup', {
      activeDirectoryObjectGuid: '0b0a5b0e-2e7a-4ad3-9f4a-2f8f6d8a7e55',
      displayName: 'Domain Admins',
      distinguishedName: 'CN=Domain Admins,CN=Users,DC=contoso,DC=local',
      friendlyName: 'Domain Admins',
      sid: 'S-1-5-21-1987310441-1231233455-2345234523-512',
    }),
  ],
  more: notInvestigated,
};

export const dcSync: Template = {
  ...identity,
  detectorId: '2006',
  category: 'CredentialAccess',
  severity: 'high',
  mitreTechniques: ['T1003.006'],
  title: () => 'Suspected DCSync attack (replication of directory services)',
  description: (cast) =>
    `${cast.user.name} on ${cast.host.name} sent a replication request to ${cast.server.name}.`,
  evidence: onDomain,
  more: notInvestigated,
};

export const bruteForce: Template = {
  ...identity,
  detectorId: '2023',
  category: 'CredentialAccess',
  severity: 'low',
  mitreTechniques: ['T1110', 'T1110.001'],
  title: () => 'Suspected brute-force attack (Kerberos, NTLM)',
  description: (cast) =>
    `Many failed log-ons of ${cast.user.name} and ${cast.other.name} were seen on ${cast.server.name}, then a good one.`,
  evidence: (cast) => [...onDomain(cast), userEvidence(cast, cast.other, { roles: ['attacked'] })],
  more: notInvestigated,
};

export const unfamiliarSignIn: Template = {
  ...entra,
  detectorId: 'UnfamiliarLocation',
  category: 'InitialAccess',
  severity: 'medium',
  mitreTechniques: ['T1078', 'T1078.004'],
  title: () => 'Unfamiliar sign-in properties',
  description: () =>
    'The following properties of this sign-in are unfamiliar for the given user: ASN, Browser, Device, IP, Location, EASId, TenantIPsubnet',
  evidence: (cast) => [
    userEvidence(cast, cast.user),
    ipEvidence(cast, cast.attacker),
    cast.find('cloudLogonSession', {
      account: userEvidence(cast, cast.user),
      browser: 'Chrome 123.0.0',
      operatingSystem: 'Linux',
      sessionId: cast.random.guid(),
      startUtcDateTime: textOfMs(cast.beganMs),
      userAgent: 'python-requests/2.31.0',
    }),
  ],
  more: notInvestigated,
};

export const anonymousAddress: Template = {
  ...entra,
  detectorId: 'AnonymousLogin',
  category: 'InitialAccess',
  severity: 'high',
  mitreTechniques: ['T1078'],
  title: () => 'Anonymous IP address',
  description: () => 'Sign-in from an anonymous IP address (e.g. Tor browser, anonymizer VPNs)',
  evidence: (cast) => [
    userEvidence(cast, cast.user, { roles: ['compromised'] }),
    ipEvidence(cast, cast.attacker, { verdict: 'suspicious', tags: ['Tor'] }),
    cast.find('cloudLogonRequest', { requestId: cast.random.guid() }),
    cloudApplicationEvidence(cast, 20_892, 'Microsoft SharePoint Online'),
    cast.find('mailbox', {
      displayName: cast.user.name,
      primaryAddress: cast.user.mail,
      upn: cast.user.mail,
      userAccount: userAccount(cast.user),
    }),
  ],
  more: notInvestigated,
};
