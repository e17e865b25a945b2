import { describe, expect, it } from 'vitest';
import { graphOrigin, graphScope, tenantSchema } from '../../src/net/tenant.ts';

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

describe('graphOrigin()', () => {
  it('is the cloud’s, or the one that is given', () => {
    expect(graphOrigin(aTenant())).toBe('https://graph.microsoft.com');
    expect(graphOrigin(aTenant({ graphEndpoint: 'https://graph.example/' }))).toBe('https://graph.example');
  });
});
