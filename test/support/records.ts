import type { Json, RelayRecord, SourceRecord } from '../../src/core/record.ts';
import { ticksOf } from '../../src/core/ticks.ts';
import { stringifyJson } from '../../src/lib/json.ts';

/** The body of a complete, boring alert; a test names only what it is about. */
export function anAlert(overrides: Record<string, Json> = {}): Record<string, Json> {
  return {
    id: 'da637551227677560813_-961444813',
    providerAlertId: '637551227677560813_-961444813',
    incidentId: '28282',
    status: 'new',
    severity: 'high',
    classification: null,
    determination: null,
    serviceSource: 'microsoftDefenderForEndpoint',
    detectionSource: 'customDetection',
    detectorId: '7f1c3609-a3ff-40e2-995b-c01770161d68',
    tenantId: 'b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c',
    title: 'Suspicious PowerShell download',
    description: 'A script was downloaded and run.',
    category: 'Execution',
    alertWebUrl:
      'https://security.microsoft.com/alerts/da637551227677560813_-961444813?tid=b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c',
    incidentWebUrl: 'https://security.microsoft.com/incidents/28282?tid=b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c',
    mitreTechniques: ['T1059.001'],
    createdDateTime: '2025-03-04T10:13:27.7216667Z',
    lastUpdateDateTime: '2025-03-04T10:20:01.3266667Z',
    firstActivityDateTime: '2025-03-04T10:11:12.1166667Z',
    lastActivityDateTime: '2025-03-04T10:12:58.2222222Z',
    evidence: [],
    ...overrides,
  };
}

const asText = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** A record as the journal lends it. */
export function aRecord(body: Record<string, Json> = {}, overrides: Partial<RelayRecord> = {}): RelayRecord {
  const alert = anAlert(body);
  const updated = asText(alert.lastUpdateDateTime);
  return {
    kind: 'alert',
    source: 'alerts',
    tenant: 'contoso',
    id: asText(alert.id),
    revision: ticksOf(updated) ?? 0n,
    unrevised: 0,
    outcome: 'new',
    timeMs: Date.parse(updated),
    severity: asText(alert.severity),
    createdMs: Date.parse(asText(alert.createdDateTime)),
    body: alert,
    ...overrides,
  };
}

/** A record as a source reads it. */
export function aSourceRecord(
  body: Record<string, Json> = {},
  overrides: Partial<SourceRecord> = {},
): SourceRecord {
  const alert = anAlert(body);
  const json = stringifyJson(alert);
  return {
    kind: 'alert',
    id: asText(alert.id),
    revision: ticksOf(alert.lastUpdateDateTime) ?? 0n,
    created: ticksOf(alert.createdDateTime) ?? 0n,
    timeMs: Date.parse(asText(alert.lastUpdateDateTime)),
    severity: asText(alert.severity),
    product: asText(alert.serviceSource),
    fingerprint: json.length,
    json,
    ...overrides,
  };
}
