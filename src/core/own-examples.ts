import type { OwnEvent } from './own-event.ts';

const DAY_MS = 86_400_000;

/** One of each: to show what a receiver will be sent (`preview --own`), and to test formats and rules with. */
export function ownExamples(nowMs: number): OwnEvent[] {
  const ago = (ms: number) => nowMs - ms;
  const source = { source: 'alerts', tenant: 'contoso' };
  const product = { ...source, product: 'microsoftDefenderForEndpoint' };
  return [
    { kind: 'relay-started', version: '1.0.0', reason: 'clean-end', count: 12 },
    { kind: 'config-reloaded', count: 2 },
    { kind: 'config-refused', detail: 'relay.yaml:12: sinks.0.port: expected a number' },
    {
      kind: 'source-failing',
      ...source,
      reason: 'auth',
      sinceMs: ago(180_000),
      detail: 'the tenant answered 401',
    },
    { kind: 'source-healed', ...source, sinceMs: ago(600_000) },
    {
      kind: 'sink-failing',
      sink: 'siem',
      reason: 'network',
      sinceMs: ago(70_000),
      count: 12,
      detail: 'connect ECONNREFUSED 192.0.2.1:6514',
    },
    { kind: 'sink-healed', sink: 'siem', sinceMs: ago(600_000), count: 1_200 },
    { kind: 'dead-letters', sink: 'siem', reason: 'too-large', count: 3 },
    { kind: 'queue-paused', reason: 'full', sink: 'siem', percent: 99 },
    { kind: 'queue-resumed', sinceMs: ago(3_600_000) },
    { kind: 'journal-filling', sink: 'siem', percent: 50, untilMs: nowMs + DAY_MS },
    {
      kind: 'gap-found',
      sink: 'siem',
      reason: 'missing',
      count: 4,
      ...product,
      sinceMs: ago(DAY_MS),
      untilMs: ago(3_600_000),
    },
    {
      kind: 'gap-repaired',
      sink: 'siem',
      count: 4,
      ...product,
      sinceMs: ago(DAY_MS),
      untilMs: ago(3_600_000),
    },
    { kind: 'credential-expiring', tenant: 'contoso', expiresMs: nowMs + 20 * DAY_MS },
    { kind: 'credential-expired', tenant: 'contoso', expiresMs: ago(DAY_MS) },
    {
      kind: 'product-silent',
      ...product,
      lastSeenMs: ago(3 * DAY_MS),
      usualSeconds: 1_800,
      longestSeconds: 43_200,
    },
    { kind: 'product-speaking', ...product, lastSeenMs: ago(1_000) },
    {
      kind: 'product-coverage',
      ...product,
      sinceMs: ago(90 * DAY_MS),
      lastSeenMs: ago(60_000),
      count: 48,
      countedSinceMs: ago(DAY_MS),
      usualSeconds: 1_800,
      longestSeconds: 43_200,
      latenessSeconds: 120,
    },
  ];
}
