import type { RecordKind, RelayRecord } from './record.ts';

/** Which records a sink wants: those that every list names which is there. Without a list it is everything. */
export interface Match {
  readonly kind?: readonly RecordKind[] | undefined;
  readonly severity?: readonly string[] | undefined;
  readonly status?: readonly string[] | undefined;
  readonly serviceSource?: readonly string[] | undefined;
  /** Configured names. */
  readonly tenant?: readonly string[] | undefined;
}

/** The values that Graph's schema knows today. The sets are open: another value is as good. */
export const knownValues = {
  severity: ['unknown', 'informational', 'low', 'medium', 'high', 'unknownFutureValue'],
  status: ['unknown', 'new', 'inProgress', 'resolved', 'unknownFutureValue'],
  serviceSource: [
    'unknown',
    'microsoftDefenderForEndpoint',
    'microsoftDefenderForIdentity',
    'microsoftDefenderForCloudApps',
    'microsoftDefenderForOffice365',
    'microsoft365Defender',
    'azureAdIdentityProtection',
    'microsoftAppGovernance',
    'dataLossPrevention',
    'unknownFutureValue',
    'microsoftDefenderForCloud',
    'microsoftSentinel',
    'microsoftInsiderRiskManagement',
    'microsoftThreatIntelligence',
    'microsoftSecurityForAI',
  ],
} as const;

/** Is the record, as it is now, one that `match` names? Values are compared exactly; a missing one is `unknown`. */
export function matches(match: Match, record: RelayRecord): boolean {
  const { kind, severity, status, serviceSource, tenant } = match;
  return (
    (kind?.includes(record.kind) ?? true) &&
    (tenant?.includes(record.tenant) ?? true) &&
    (severity?.includes(record.severity) ?? true) &&
    (status?.includes(wordOf(record, 'status')) ?? true) &&
    (serviceSource?.includes(wordOf(record, 'serviceSource')) ?? true)
  );
}

/**
 * Does `match` name what changes in the life of an alert? An id that once matched must then go on matching until
 * it is resolved, or an alert that was lowered from high to low would stay open in the SIEM for ever (R8).
 */
export function followsIds({ severity, status }: Match): boolean {
  return severity !== undefined || status !== undefined;
}

/** Nothing more is to be told of it but what matches by itself. */
export function isResolved(record: RelayRecord): boolean {
  return wordOf(record, 'status') === 'resolved';
}

function wordOf({ body }: RelayRecord, field: 'status' | 'serviceSource'): string {
  const value = body[field];
  return typeof value === 'string' ? value : 'unknown';
}
