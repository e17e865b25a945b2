import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { openGraph } from '../../../src/net/graph.ts';
import { tenantSchema } from '../../../src/net/tenant.ts';
import { parseCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { GraphAlerts } from '../../../src/sources/graph-alerts/source.ts';
import { describeSourceContract, now, steady } from '../../contracts/source.contract.ts';

vi.mock(import('../../../src/lib/wait.ts'), async (original) => {
  const { wait, ...rest } = await original();
  return { ...rest, wait: (ms, signal) => wait(ms / 60, signal) };
});

describeSourceContract('graph-alerts', {
  name: 'alerts',
  everyMs: 10_000,
  open({ simulator, folder, log }) {
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, simulator.caPem);
    const { clientId, clientSecret } = simulator;
    const tenant = tenantSchema.parse({
      name: 'contoso',
      tenantId: simulator.tenantId,
      graphEndpoint: simulator.url,
      authorityHost: simulator.url,
      ca,
      credential: { type: 'client-secret', clientId, clientSecret },
    });
    const graph = openGraph(tenant, {
      log,
      observer: { requested() {}, throttled() {} },
      now,
      steady,
      timeouts: { connectMs: 2_000, firstByteMs: 1_000, wholeMs: 2_000 },
      tokenTimeoutMs: 500,
      env: {},
    });
    const source = new GraphAlerts(
      {
        every: 10_000,
        settle: 5_000,
        overlap: 60_000,
        sweep: { every: 120_000, window: 24 * 3_600_000 },
        compared: 48 * 3_600_000,
        startFrom: 24 * 3_600_000,
        response: { maxBytes: 2 ** 23 },
        filter: { serviceSource: [], severity: [], status: [] },
      },
      { name: 'alerts', graph, log, now, steady, miscounted() {} },
    );
    const end = async () => {
      await source.close();
      await graph.close();
    };
    return { source, end };
  },
  isBehind(b, a) {
    const [after, before] = [parseCheckpoint(b), parseCheckpoint(a)];
    const rangesBack = after.open.filter((range) =>
      before.open.some(
        ({ kind, begun, from }) => range.kind === kind && range.begun === begun && range.from < from,
      ),
    );
    return after.watermark < before.watermark || rangesBack.length > 0;
  },
});
