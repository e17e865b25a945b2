import type { Json, JsonObject } from '../../../core/record.ts';
import { object, text, texts } from '../read.ts';
import { ids, type Nested, type Note, type Reading, type Side } from './reading.ts';

/**
 * A named thing in a cloud: application, resource, repository, … All read alike: which property is its name,
 * which others tell it apart, and what it holds.
 */
interface Thing {
  /** The first that is not empty is the name. */
  readonly name: readonly string[];
  /** Property of its id, and what a note calls it. */
  readonly notes?: Readonly<Record<string, string>>;
  /** Properties with evidence of the given type, or an array of it. */
  readonly nested?: Readonly<Record<string, string>>;
  /** Applications name the service itself; a resource does so when there is no application. */
  readonly application?: true;
  /** A service is called, and so are its addresses. */
  readonly side?: Side;
}

const cluster = { cluster: 'kubernetesCluster' };
const namespace = { namespace: 'kubernetesNamespace' };

const things: Readonly<Record<string, Thing>> = {
  cloudApplication: {
    name: ['displayName', 'instanceName', 'appId'],
    notes: { appId: 'appId', instanceName: 'instance' },
    application: true,
  },
  oauthApplication: {
    name: ['displayName', 'appId'],
    notes: { appId: 'appId', objectId: 'objectId', publisher: 'publisher' },
    application: true,
  },
  servicePrincipal: {
    name: ['servicePrincipalName', 'servicePrincipalObjectId', 'appId'],
    notes: { appId: 'appId', servicePrincipalObjectId: 'objectId' },
    application: true,
  },
  aiAgent: {
    name: ['agentName', 'agentId'],
    notes: { agentId: 'agentId', hostingPlatformType: 'platform' },
    application: true,
  },
  azureResource: { name: ['resourceName', 'resourceId'], notes: { resourceId: 'resourceId' } },
  amazonResource: {
    name: ['resourceName', 'amazonResourceId'],
    notes: { amazonResourceId: 'resourceId', amazonAccountId: 'accountId' },
  },
  googleCloudResource: {
    name: ['resourceName', 'fullResourceName'],
    notes: { fullResourceName: 'resourceId', projectId: 'projectId' },
  },
  blob: {
    name: ['name', 'url'],
    notes: { url: 'url' },
    nested: { blobContainer: 'blobContainer', fileHashes: 'fileHash' },
  },
  blobContainer: {
    name: ['name', 'url'],
    notes: { url: 'url' },
    nested: { storageResource: 'azureResource' },
  },
  container: {
    name: ['name', 'containerId'],
    notes: { containerId: 'containerId', isPrivileged: 'privileged' },
    nested: { image: 'containerImage', pod: 'kubernetesPod' },
  },
  containerImage: {
    name: ['imageId'],
    nested: { digestImage: 'containerImage', registry: 'containerRegistry' },
  },
  containerRegistry: { name: ['registry'] },
  kubernetesCluster: {
    name: ['name'],
    notes: { platform: 'platform' },
    nested: { cloudResource: 'azureResource' },
  },
  kubernetesController: { name: ['name'], notes: { type: 'kind' }, nested: namespace },
  kubernetesNamespace: { name: ['name'], nested: cluster },
  kubernetesPod: {
    name: ['name'],
    nested: {
      podIp: 'ip',
      containers: 'container',
      initContainers: 'container',
      ephemeralContainers: 'container',
      controller: 'kubernetesController',
      serviceAccount: 'kubernetesServiceAccount',
      ...namespace,
    },
  },
  kubernetesSecret: { name: ['name'], notes: { secretType: 'secretType' }, nested: namespace },
  kubernetesServiceAccount: { name: ['name'], nested: namespace },
  kubernetesService: {
    name: ['name'],
    notes: { serviceType: 'serviceType' },
    side: 'destination',
    nested: { clusterIP: 'ip', externalIPs: 'ip', ...namespace },
  },
  gitHubOrganization: { name: ['displayName', 'login', 'orgId'], notes: { orgId: 'orgId', webUrl: 'url' } },
  gitHubRepo: { name: ['login', 'baseUrl', 'repoId'], notes: { repoId: 'repoId', baseUrl: 'url' } },
  gitHubUser: {
    name: ['login', 'name', 'email', 'userId'],
    notes: { userId: 'userId', email: 'email', webUrl: 'url' },
  },
  sasToken: {
    name: ['signatureHash', 'signedWith'],
    notes: { signedWith: 'signedWith', allowedIpAddresses: 'allowedIps' },
    nested: { storageResource: 'azureResource' },
  },
  securityGroup: {
    name: ['displayName', 'friendlyName', 'distinguishedName', 'sid', 'securityGroupId'],
    notes: { sid: 'sid', securityGroupId: 'groupId' },
  },
  activeDirectoryDomain: {
    name: ['activeDirectoryDomainName'],
    nested: { trustedDomains: 'activeDirectoryDomain' },
  },
};

/** Readers of all such types, by the name of the type. */
export const cloud: readonly (readonly [type: string, read: (raw: Json | undefined) => Reading])[] =
  Object.entries(things).map(([type, thing]) => [type, (raw) => readThing(type, thing, object(raw))]);

function readThing(type: string, thing: Thing, evidence: JsonObject): Reading {
  const name = thing.name.map((property) => text(evidence[property])).find(Boolean) ?? '';
  const notes = Object.entries(thing.notes ?? {}).map(([property, as]): Note => {
    const value = text(evidence[property]);
    return [as, value === name || value === 'false' ? '' : value];
  });
  const identity = [name, ...notes.map(([, value]) => value)].join('/');
  return {
    value: name,
    ids: name === '' ? [] : ids([type, identity]),
    group: 'service',
    ...(!thing.application && { late: true }),
    ...(thing.side && { side: thing.side }),
    claims: [['destinationServiceName', name]],
    notes,
    nested: [...nestedOf(thing, evidence), ...(type === 'container' ? commandOf(evidence) : [])],
  };
}

function nestedOf(thing: Thing, evidence: JsonObject): readonly Nested[] {
  return Object.entries(thing.nested ?? {}).flatMap(([property, type]): readonly Nested[] => {
    const value = evidence[property];
    // `registry` of a registry is its name, not evidence.
    if (typeof value !== 'object' || value === null) return [];
    return Array.isArray(value) ? value.map((item: Json) => ({ type, value: item })) : [{ type, value }];
  });
}

/** What a container runs is a process, though Graph gives no more of it than the command line. */
function commandOf({ command, args }: JsonObject): readonly Nested[] {
  const processCommandLine = [...texts(command), ...texts(args)].join(' ');
  return processCommandLine === '' ? [] : [{ type: 'process', value: { processCommandLine } }];
}
