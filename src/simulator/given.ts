import type { AlertRevision } from './revision.ts';
import { msOfKey, textOfKey, timeKey } from './time.ts';

/** What a change of a given alert adds to it. */
const lateEvidence = { '@odata.type': '#microsoft.graph.security.ipEvidence', ipAddress: '203.0.113.9' };

/**
 * An alert that somebody gave, served as it is.
 *
 * @throws {Error} when it lacks what Graph cannot be without: id, createdDateTime, lastUpdateDateTime
 */
export function givenAlert(body: object, index: number, unrevised = 0): AlertRevision {
  const given: Readonly<Record<string, unknown>> = { ...body };
  const text = (name: string) => (typeof given[name] === 'string' ? given[name] : undefined);
  const time = (name: string) => {
    const key = timeKey(given[name]);
    if (key === undefined)
      throw new Error(`alert ${index + 1} of the input has no ${name} (an ISO 8601 time)`);
    return key;
  };
  const id = text('id');
  if (!id) throw new Error(`alert ${index + 1} of the input has no id`);
  const lastUpdateDateTime = time('lastUpdateDateTime');
  const updatedMs = msOfKey(lastUpdateDateTime);
  return {
    id,
    revision: String(given.lastUpdateDateTime),
    product: text('productName') ?? text('serviceSource') ?? 'unknown',
    unrevised,
    raisedAt: updatedMs,
    visibleAt: updatedMs,
    fields: {
      createdDateTime: time('createdDateTime'),
      lastUpdateDateTime,
      severity: text('severity') ?? 'unknown',
      status: text('status') ?? 'unknown',
      serviceSource: text('serviceSource') ?? 'unknown',
      classification: text('classification') ?? null,
      determination: text('determination') ?? null,
      assignedTo: text('assignedTo') ?? null,
    },
    body: () => withoutContext(given),
    next: (key, seen) => {
      const evidence = Array.isArray(given.evidence) ? given.evidence : [];
      const changed = { ...given, evidence: [...evidence, lateEvidence] };
      const next =
        key === lastUpdateDateTime
          ? givenAlert(changed, index, unrevised + 1)
          : givenAlert({ ...changed, lastUpdateDateTime: textOfKey(key) }, index);
      return { ...next, ...seen };
    },
  };
}

/** A saved answer for one alert begins with its context, which in a list stands outside. */
function withoutContext({ '@odata.context': _, ...body }: Readonly<Record<string, unknown>>): object {
  return body;
}
