import { cloudApplicationEvidence, ipEvidence, userEvidence } from '../cast.ts';
import { textOfMs } from '../time.ts';
import type { Product, Template } from './template.ts';

const cloudApps: Product = {
  product: 'Microsoft Defender for Cloud Apps',
  serviceSource: 'microsoftDefenderForCloudApps',
  detectionSource: 'cloudAppSecurity',
  idPrefix: 'ca',
  providerId: 'hex24',
};

const appGovernance: Product = {
  product: 'Microsoft Application Protection',
  serviceSource: 'microsoftAppGovernance',
  detectionSource: 'appGovernanceDetection',
  idPrefix: 'ma',
  providerId: 'guid',
};

const xdr: Product = {
  product: 'Microsoft Defender XDR',
  serviceSource: 'microsoft365Defender',
  detectionSource: 'microsoft365Defender',
  idPrefix: 'ra',
  providerId: 'ticks',
};

const insiderRisk: Product = {
  product: 'Microsoft Purview Insider Risk Management',
  serviceSource: 'microsoftInsiderRiskManagement',
  detectionSource: 'microsoftInsiderRiskManagement',
  idPrefix: 'ir',
  providerId: 'guid',
};

export const impossibleTravel: Template = {
  ...cloudApps,
  detectorId: 'ANUBIS_DETECTION_VELOCITY',
  category: 'InitialAccess',
  severity: 'medium',
  mitreTechniques: ['T1078', 'T1078.004'],
  title: () => 'Impossible travel activity',
  description: ({ user, home, attacker, random }) =>
    `The user ${user.name} (${user.mail}) was involved in an impossible travel incident. The user was active from ${home.address} and ${attacker.address} within ${random.int(5, 55)} minutes.`,
  evidence: (cast) => [
    userEvidence(cast, cast.user, { verdict: 'suspicious', roles: ['compromised'] }),
    cloudApplicationEvidence(cast, 20_893, 'Microsoft Exchange Online'),
    cloudApplicationEvidence(cast, 11_161, 'Microsoft 365'),
    ipEvidence(cast, cast.attacker, { verdict: 'suspicious' }),
    ipEvidence(cast, cast.home),
    cast.find('cloudLogonRequest', { requestId: cast.random.guid() }),
  ],
  more: () => ({
    investigationState: 'unsupportedAlertType',
    alertPolicyId: '5e6fa9b2c1d3e4f5a6b7c8d9',
  }),
};

export const massDownload: Template = {
  ...cloudApps,
  detectorId: 'ANUBIS_DETECTION_REPEATED_ACTIVITY_DOWNLOAD',
  category: 'Exfiltration',
  severity: 'low',
  mitreTechniques: ['T1530'],
  title: () => 'Mass download',
  description: ({ user, random }) =>
    `The user ${user.name} downloaded ${random.int(300, 9000)} files from Microsoft SharePoint Online within 30 minutes.`,
  evidence: (cast) => [
    userEvidence(cast, cast.user),
    cloudApplicationEvidence(cast, 20_892, 'Microsoft SharePoint Online'),
    ipEvidence(cast, cast.home),
  ],
};

export const suspiciousApp: Template = {
  ...appGovernance,
  detectorId: 'MDA_ADR_SuspiciousMetadata',
  category: 'Persistence',
  severity: 'medium',
  mitreTechniques: ['T1098.003'],
  title: () => 'App with suspicious metadata has Exchange permission',
  description: () =>
    'This detection generates alerts for non-Microsoft apps with suspicious metadata that have permission to read, update or send emails.',
  evidence: (cast) => {
    const appId = cast.random.guid();
    const objectId = cast.random.guid();
    const name = cast.random.pick(['Test1', 'Mail Sync Pro', 'eM CIient']);
    return [
      cast.find('oauthApplication', { appId, displayName: name, objectId, verdict: 'suspicious' }),
      cast.find('servicePrincipal', {
        appId,
        appOwnerTenantId: cast.random.guid(),
        servicePrincipalName: name,
        servicePrincipalObjectId: objectId,
        servicePrincipalType: 'application',
        tenantId: cast.tenantId,
      }),
      userEvidence(cast, cast.user),
    ];
  },
};

export const adversaryInTheMiddle: Template = {
  ...xdr,
  detectorId: 'f0fa1e84-3ba2-4f0e-9d6e-7c1f2b3a4d5e',
  category: 'CredentialAccess',
  severity: 'high',
  mitreTechniques: ['T1557', 'T1539', 'T1078.004'],
  title: () => 'User compromised in AiTM phishing attack',
  description: () =>
    'A user account was compromised through an adversary-in-the-middle phishing attack. The session cookie was replayed from a new location.',
  evidence: (cast) => [
    userEvidence(cast, cast.user, {
      verdict: 'malicious',
      roles: ['compromised'],
      tags: ['Priority account'],
    }),
    cast.find('cloudLogonSession', {
      verdict: 'suspicious',
      account: userEvidence(cast, cast.user),
      browser: 'Edge 127.0.0',
      operatingSystem: 'Windows10',
      previousLogonDateTime: textOfMs(cast.beganMs - 60_000_000),
      protocol: 'OAuth2',
      sessionId: cast.random.guid(),
      startUtcDateTime: textOfMs(cast.beganMs),
      userAgent:
        'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36 Edg/127.0.0.0',
    }),
    ipEvidence(cast, cast.attacker, { verdict: 'malicious' }),
    cast.find('url', {
      url: `https://${cast.domain}/common/oauth2/authorize?client_id=1&redirect_uri=https%3a%2f%2fportal.example`,
      verdict: 'malicious',
    }),
    cast.find('dns', { domainName: cast.domain, ipAddresses: [ipEvidence(cast, cast.attacker)] }),
    cast.find('oauthApplication', {
      appId: 'c37c294f-eec8-47d2-b3e2-fc3daa8f77d3',
      displayName: 'eM Client',
      objectId: cast.random.guid(),
      publisher: 'eM Client s.r.o.',
    }),
  ],
  more: () => ({ investigationState: 'pendingApproval', systemTags: ['Attack Disruption'] }),
};

export const departingUser: Template = {
  ...insiderRisk,
  detectorId: 'IRM_DataTheftByDepartingUser',
  category: 'Exfiltration',
  severity: 'high',
  mitreTechniques: ['T1048', 'T1052'],
  title: () => 'Data theft by departing users: unusual volume of files copied',
  description: () =>
    'A user whose last working day is set copied more files to a removable device than usual.',
  evidence: (cast) => [
    userEvidence(cast, cast.user, { roles: ['policyViolator'] }),
    cloudApplicationEvidence(cast, 15_600, 'Microsoft OneDrive for Business'),
  ],
};
