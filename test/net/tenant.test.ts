import { describe, expect, it } from 'vitest';
import {
  authorityOrigin,
  graphOrigin,
  graphScope,
  howToGrant,
  tenantSchema,
  whoSignsIn,
} from '../../src/net/tenant.ts';
import { CLIENT_ID } from '../support/scripted-graph.ts';

const aTenant = (overrides: object = {}) =>
  tenantSchema.parse({
    name: 'contoso',
    tenantId: 'b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c',
    credential: { type: 'client-secret', clientId: 'simulator', clientSecret: 'x' },
    ...overrides,
  });

describe('graphScope()', () => {
  const graphEndpoint = 'https://graph.example:8443/';
  it.each([
    ['G24: of the cloud', { cloud: 'usgov' }, 'https://graph.microsoft.us/.default'],
    ['of the cloud, through a gateway', { graphEndpoint }, 'https://graph.microsoft.com/.default'],
    [
      'of another Graph with its own authority',
      { graphEndpoint, authorityHost: 'https://login.example' },
      'https://graph.example:8443/.default',
    ],
  ])('is that %s', (_, overrides, expected) => {
    expect(graphScope(aTenant(overrides))).toBe(expected);
  });
});

describe('clouds', () => {
  it.each([
    ['global', 'https://graph.microsoft.com', 'https://login.microsoftonline.com'],
    ['usgov', 'https://graph.microsoft.us', 'https://login.microsoftonline.us'],
    ['usgov-dod', 'https://dod-graph.microsoft.us', 'https://login.microsoftonline.us'],
    ['china', 'https://microsoftgraph.chinacloudapi.cn', 'https://login.chinacloudapi.cn'],
  ])('G24: %s has its own Graph, scope and authority', (cloud, graph, authority) => {
    const tenant = aTenant({ cloud });
    expect([graphOrigin(tenant), graphScope(tenant), authorityOrigin(tenant)]).toEqual([
      graph,
      `${graph}/.default`,
      authority,
    ]);
  });
});

describe('graphOrigin()', () => {
  it('is the cloud’s, or the one that is given', () => {
    expect(graphOrigin(aTenant())).toBe('https://graph.microsoft.com');
    expect(graphOrigin(aTenant({ graphEndpoint: 'https://graph.example/' }))).toBe('https://graph.example');
  });
});

describe('messages about who signs in', () => {
  it('G12: says how a managed identity gets the missing role', () => {
    const role = 'SecurityIncident.Read.All';
    expect(howToGrant({ type: 'managed-identity' }, role)).toMatch(
      /app role SecurityIncident\.Read\.All .* up to a day$/,
    );
    expect(whoSignsIn({ type: 'managed-identity' })).toBe('the managed identity of this machine');
    expect(whoSignsIn({ type: 'managed-identity', clientId: CLIENT_ID })).toContain(CLIENT_ID);
    expect(whoSignsIn({ type: 'azure-cli' })).toContain('Azure CLI');
    expect(howToGrant({ type: 'azure-cli' }, role)).toContain('--service-principal');
  });
});
