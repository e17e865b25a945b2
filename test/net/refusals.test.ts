import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { UnavailableError } from '../../src/core/errors.ts';
import { openGraph } from '../../src/net/graph.ts';
import { tenantSchema } from '../../src/net/tenant.ts';
import { type RefusalName, refusalTable, startSimulator } from '../../src/simulator/index.ts';
import { testFolder } from '../support/folder.ts';
import { collectLog } from '../support/log.ts';

/** What comes of a request to a simulator that refuses. */
async function failureOf(how: { refuse: RefusalName } | { roles: string[] }): Promise<UnavailableError> {
  const simulator = await startSimulator({ seed: 1, alerts: 0, ...how });
  onTestFinished(() => simulator.close());
  const ca = join(testFolder(), 'ca.pem');
  writeFileSync(ca, simulator.caPem);
  const { tenantId, url, clientId, clientSecret } = simulator;
  const credential = { type: 'client-secret', clientId, clientSecret };
  const settings = { name: 'contoso', tenantId, graphEndpoint: url, authorityHost: url, ca, credential };
  const observer = { requested: () => {}, throttled: () => {} };
  const graph = openGraph(tenantSchema.parse(settings), { log: collectLog(), observer, env: {} });
  onTestFinished(() => graph.close());
  const [row, signal] = [(value: unknown) => value, AbortSignal.timeout(10_000)];
  const options = { maxBytes: 10_000, role: 'SecurityAlert.Read.All', signal, row };
  return await graph.page(`${url}/v1.0/security/alerts_v2?$top=1`, options).then(
    () => expect.fail('it was not refused'),
    (error: UnavailableError) => error,
  );
}

const says: Record<RefusalName, string> = {
  'secret-wrong': 'set clientSecret to the secret’s value',
  'secret-expired': 'make a new one',
  'unknown-app': 'check clientId and tenantId',
  'unknown-tenant': 'check tenantId and cloud',
  token: 'check that tenantId and cloud are right',
  clock: 'a clock is wrong',
  access: 'Conditional Access',
  licence: 'licensed and set up',
  request: 'report it',
  'not-found': 'check cloud and graphEndpoint',
  gone: 'upgrade the relay',
};

describe('a simulator that refuses', () => {
  it.each(Object.keys(refusalTable) as RefusalName[])(
    'by --refuse %s: the relay says what to do',
    async (refuse) => {
      const { reason, message } = await failureOf({ refuse });
      expect(['auth', 'request']).toContain(reason);
      expect(message).toContain(says[refuse]);
    },
  );

  it('G12: by --roles none: the relay says which permission to add', async () => {
    const { message } = await failureOf({ roles: [] });
    expect(message).toContain('its token has none; add the application permission SecurityAlert.Read.All');
  });
});
