/**
 * Evidence as Graph writes it: every property of its type is there, null when nothing is known.
 *
 * @see https://learn.microsoft.com/graph/api/resources/security-alertevidence
 */
export interface Evidence {
  readonly '@odata.type': string;
}

/** What all types have in common; a template names only what is not at rest. */
export interface Marks {
  readonly verdict?: 'unknown' | 'suspicious' | 'malicious' | 'noThreatsFound';
  readonly remediationStatus?: string;
  readonly roles?: readonly string[];
  readonly detailedRoles?: readonly string[];
  readonly tags?: readonly string[];
}

/** The properties of each type with the value that says nothing. */
const blank = {
  activeDirectoryDomain: { activeDirectoryDomainName: null, trustedDomains: [] },
  aiAgent: { agentId: null, agentName: null, hostingPlatformType: 'unknown', instructions: null },
  analyzedMessage: {
    antiSpamDirection: null,
    attachmentsCount: 0,
    deliveryAction: null,
    deliveryLocation: null,
    internetMessageId: null,
    language: null,
    networkMessageId: null,
    p1Sender: null,
    p2Sender: null,
    receivedDateTime: null,
    recipientEmailAddress: null,
    senderIp: null,
    subject: null,
    threatDetectionMethods: [],
    threats: [],
    urlCount: 0,
    urls: [],
    urn: null,
  },
  azureResource: { resourceId: null, resourceName: null, resourceType: null },
  blob: { blobContainer: null, etag: null, fileHashes: [], name: null, url: null },
  blobContainer: { name: null, storageResource: null, url: null },
  cloudApplication: {
    appId: null,
    displayName: null,
    instanceId: 0,
    instanceName: null,
    saasAppId: null,
    stream: null,
  },
  cloudLogonRequest: { requestId: null },
  cloudLogonSession: {
    account: null,
    browser: null,
    deviceName: null,
    operatingSystem: null,
    previousLogonDateTime: null,
    protocol: null,
    sessionId: null,
    startUtcDateTime: null,
    userAgent: null,
  },
  container: {
    args: [],
    command: [],
    containerId: null,
    image: null,
    isPrivileged: false,
    name: null,
    pod: null,
  },
  containerImage: { digestImage: null, imageId: null, registry: null },
  containerRegistry: { registry: null },
  device: {
    azureAdDeviceId: null,
    defenderAvStatus: null,
    deviceDnsName: null,
    dnsDomain: null,
    firstSeenDateTime: null,
    healthStatus: null,
    hostName: null,
    ipInterfaces: [],
    lastExternalIpAddress: null,
    lastIpAddress: null,
    loggedOnUsers: [],
    mdeDeviceId: null,
    ntDomain: null,
    onboardingStatus: null,
    osBuild: null,
    osPlatform: null,
    rbacGroupId: null,
    rbacGroupName: null,
    resourceAccessEvents: [],
    riskScore: null,
    version: null,
    vmMetadata: null,
  },
  dns: { dnsServerIp: null, domainName: null, hostIpAddress: null, ipAddresses: [] },
  file: { detectionStatus: null, fileDetails: null, mdeDeviceId: null },
  gitHubRepo: { baseUrl: null, login: null, owner: null, ownerType: null, repoId: null },
  ip: { countryLetterCode: null, ipAddress: null, location: null, stream: null },
  kubernetesCluster: {
    cloudResource: null,
    distribution: null,
    name: null,
    platform: 'unknown',
    version: null,
  },
  kubernetesController: { labels: null, name: null, namespace: null, type: null },
  kubernetesNamespace: { cluster: null, labels: null, name: null },
  kubernetesPod: {
    containers: [],
    controller: null,
    ephemeralContainers: [],
    initContainers: [],
    labels: null,
    name: null,
    namespace: null,
    podIp: null,
    serviceAccount: null,
  },
  mailbox: { displayName: null, primaryAddress: null, upn: null, userAccount: null },
  mailCluster: {
    clusterBy: null,
    clusterByValue: null,
    emailCount: 0,
    networkMessageIds: [],
    query: null,
    urn: null,
  },
  malware: { category: null, files: [], name: null, processes: [] },
  networkConnection: {
    destinationAddress: null,
    destinationPort: null,
    protocol: 'tcp',
    sourceAddress: null,
    sourcePort: null,
  },
  oauthApplication: { appId: null, displayName: null, objectId: null, publisher: null },
  process: {
    detectionStatus: null,
    imageFile: null,
    mdeDeviceId: null,
    parentProcessCreationDateTime: null,
    parentProcessId: null,
    parentProcessImageFile: null,
    processCommandLine: null,
    processCreationDateTime: null,
    processId: null,
    userAccount: null,
  },
  registryKey: { registryHive: null, registryKey: null },
  registryValue: {
    mdeDeviceId: null,
    registryHive: null,
    registryKey: null,
    registryValue: null,
    registryValueName: null,
    registryValueType: null,
  },
  sasToken: {
    allowedIpAddresses: null,
    allowedResourceTypes: [],
    allowedServices: [],
    expiryDateTime: null,
    permissions: [],
    protocol: null,
    signatureHash: null,
    signedWith: null,
    startDateTime: null,
    storageResource: null,
  },
  securityGroup: {
    activeDirectoryObjectGuid: null,
    displayName: null,
    distinguishedName: null,
    friendlyName: null,
    securityGroupId: null,
    sid: null,
  },
  servicePrincipal: {
    appId: null,
    appOwnerTenantId: null,
    servicePrincipalName: null,
    servicePrincipalObjectId: null,
    servicePrincipalType: 'unknown',
    tenantId: null,
  },
  submissionMail: {
    networkMessageId: null,
    recipient: null,
    reportType: null,
    sender: null,
    senderIp: null,
    subject: null,
    submissionDateTime: null,
    submissionId: null,
    submitter: null,
  },
  url: { url: null },
  user: { stream: null, userAccount: null },
} as const;

type EvidenceType = keyof typeof blank;

/** What a template says of evidence of one type. */
export type Properties<Type extends EvidenceType> = Marks & {
  readonly [Name in keyof (typeof blank)[Type]]?: unknown;
};

/** Makes evidence that was found at one time, for one alert. */
export type FindEvidence = <Type extends EvidenceType>(type: Type, properties: Properties<Type>) => Evidence;

export function evidenceFoundAt(createdDateTime: string): FindEvidence {
  return (type, properties) => ({
    '@odata.type': `#microsoft.graph.security.${type}Evidence`,
    createdDateTime,
    verdict: 'unknown',
    remediationStatus: 'none',
    remediationStatusDetails: null,
    roles: [],
    detailedRoles: [],
    tags: [],
    ...blank[type],
    ...properties,
  });
}

const noFile = {
  fileName: null,
  filePath: null,
  fileSize: null,
  filePublisher: null,
  signer: null,
  issuer: null,
  md5: null,
  sha1: null,
  sha256: null,
  sha256Ac: null,
};

/** The complex type `fileDetails`. */
export function fileDetails(known: { readonly [Name in keyof typeof noFile]?: string | number }): object {
  return { ...noFile, ...known };
}
