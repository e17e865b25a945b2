import { describe, expect, it } from 'vitest';
import { eventHubs } from '../../../src/sinks/event-hubs/index.ts';

const problems = (settings: object): string[] => {
  const parsed = eventHubs.schema.safeParse({ type: 'event-hubs', ...settings });
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
};

const ofNamespace = 'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a2V5';
const connectionString = `${ofNamespace};EntityPath=alerts`;
const namespace = 'ns.servicebus.windows.net';

describe('settings of event-hubs', () => {
  it('take a connection string, or a namespace and a tenant', () => {
    expect(problems({ connectionString })).toEqual([]);
    expect(problems({ namespace, tenant: 'contoso', eventHub: 'alerts' })).toEqual([]);
    expect(problems({})).toEqual([
      'connectionString: missing; or give "namespace" and "tenant" to sign in with Entra ID',
    ]);
    expect(problems({ connectionString, namespace, tenant: 'contoso' })).toContain(
      'namespace: give "connectionString" or "namespace", not both',
    );
    expect(problems({ namespace })).toEqual([
      'tenant: missing; name of the tenant whose credential signs in',
      'eventHub: missing; name of the event hub',
    ]);
    expect(problems({ connectionString, tenant: 'contoso' })).toEqual([
      'tenant: needs "namespace"; a connection string signs in by itself',
    ]);
  });

  it('look into the connection string, and tell nothing secret of it', () => {
    expect(problems({ connectionString: 'AccountKey=a2V5' })).toEqual([
      'connectionString: it must begin with "Endpoint=sb://NAMESPACE.servicebus.windows.net/"',
    ]);
    expect(problems({ connectionString: 'Endpoint=sb://ns/;SharedAccessKey=a2V5' })).toEqual([
      'connectionString: it must have SharedAccessKeyName and SharedAccessKey, or a SharedAccessSignature',
    ]);
    expect(problems({ connectionString: ofNamespace })).toEqual([
      'connectionString: the connection string is for a namespace, without EntityPath: say the hub as eventHub',
    ]);
    expect(problems({ connectionString, eventHub: 'other' })).toEqual([
      'connectionString: the connection string is for event hub alerts, and eventHub says other: take one of them out',
    ]);
    expect(problems({ connectionString: ofNamespace, eventHub: 'alerts' })).toEqual([]);
  });

  it('take a fixed key with `partitionKey: fixed` only', () => {
    expect(problems({ connectionString, partitionKey: 'fixed' })).toEqual([
      'fixedKey: missing; the key to use',
    ]);
    expect(problems({ connectionString, fixedKey: 'all' })).toEqual([
      'fixedKey: needs "partitionKey: fixed"',
    ]);
  });
});
