import { drawCast, ipEvidence } from './cast.ts';
import type { Evidence } from './evidence.ts';
import { Random } from './random.ts';
import type { AlertRevision, Seen } from './revision.ts';
import { templates } from './templates/index.ts';
import type { Template } from './templates/template.ts';
import { msOfKey, textOfKey, textOfMs } from './time.ts';

/** An alert as it was raised: what never changes. The rest of its body follows from seed and ordinal. */
export interface Alert {
  readonly seed: number;
  readonly tenantId: string;
  /** 0 for the first one raised. */
  readonly ordinal: number;
  readonly template: Template;
  readonly id: string;
  readonly createdKey: string;
}

/** What an update changes. */
export interface Change {
  readonly key: string;
  readonly status?: string;
  readonly severity?: string;
  readonly classification?: string;
  readonly determination?: string;
  readonly assignedTo?: string;
  readonly comment?: string;
  /** Pieces of evidence that are found only now. */
  readonly evidence?: number;
}

/** Streams of one alert: its name, its body, then one for each change. */
const BODY = 1;
const CHANGES = 2;

/** The alert that a seed has at `ordinal`: the same each time but for the time. */
export function raiseAlert(seed: number, tenantId: string, ordinal: number, createdKey: string): Alert {
  const random = new Random(seed, ordinal);
  const template = random.pick(templates);
  const id = template.idPrefix + drawProviderId(random, template, ordinal);
  return { seed, tenantId, ordinal, template, id, createdKey };
}

/** No two ordinals give the same: the multiplication by an odd number is one to one. */
function drawProviderId(random: Random, template: Template, ordinal: number): string {
  const unique = Math.imul(ordinal + 1, 0x9e3779b1);
  const hex = (unique >>> 0).toString(16).padStart(8, '0');
  if (template.providerId === 'ticks')
    return `638${String(random.int(0, 1e15 - 1)).padStart(15, '0')}_${unique}`;
  if (template.providerId === 'guid') return random.guid().slice(0, -8) + hex;
  return random.hex(template.providerId === 'hex24' ? 16 : 56) + hex;
}

/** What happens to an alert as its `number`-th change, from 1. */
export function drawChange(alert: Alert, number: number, key: string): Change {
  const random = new Random(alert.seed, alert.ordinal, CHANGES + number);
  return random.pick<(key: string) => Change>([
    (key) => ({ key, evidence: random.int(1, 2) }),
    (key) => ({ key, status: 'inProgress', assignedTo: 'soc-l2@contoso.com' }),
    (key) => ({ key, severity: random.pick(['low', 'medium', 'high']) }),
    (key) => ({ key, comment: 'Session revoked; password reset.\r\n<b>see</b> INC0012345' }),
    (key) => ({
      key,
      status: 'resolved',
      classification: 'truePositive',
      determination: random.pick(['compromisedAccount', 'malware', 'phishing']),
      assignedTo: 'soc-l1@contoso.com',
    }),
    (key) => ({
      key,
      status: 'resolved',
      classification: 'falsePositive',
      determination: 'notMalicious',
      comment: 'Known test | a=b',
    }),
  ])(key);
}

/** The alert after `changes`, oldest first. */
export function revisionOf(alert: Alert, changes: readonly Change[], seen: Seen): AlertRevision {
  const { template } = alert;
  const state = stateOf(alert, changes);
  const updatedKey = changes.at(-1)?.key ?? alert.createdKey;
  return {
    id: alert.id,
    revision: textOfKey(updatedKey),
    product: template.product,
    unrevised: countUnrevised(alert, changes),
    ...seen,
    fields: {
      createdDateTime: alert.createdKey,
      lastUpdateDateTime: updatedKey,
      serviceSource: template.serviceSource,
      ...state,
    },
    body: () => bodyOf(alert, changes, state, updatedKey),
    next: (key, later) => {
      const change = key === updatedKey ? { key, evidence: 1 } : drawChange(alert, changes.length + 1, key);
      return revisionOf(alert, [...changes, change], later);
    },
  };
}

/** The changes that kept the time of the state before them. */
function countUnrevised(alert: Alert, changes: readonly Change[]): number {
  const keys = [alert.createdKey, ...changes.map(({ key }) => key)];
  return keys.length - 1 - keys.indexOf(keys.at(-1) ?? '');
}

type State = ReturnType<typeof stateOf>;

function stateOf(alert: Alert, changes: readonly Change[]) {
  const last = <Name extends keyof Change>(name: Name) =>
    changes.findLast((change) => change[name] !== undefined)?.[name] ?? null;
  return {
    status: last('status') ?? 'new',
    severity: last('severity') ?? alert.template.severity,
    classification: last('classification'),
    determination: last('determination'),
    assignedTo: last('assignedTo'),
  };
}

function bodyOf(alert: Alert, changes: readonly Change[], state: State, updatedKey: string): object {
  const { template, id, tenantId } = alert;
  const createdMs = msOfKey(alert.createdKey);
  const cast = drawCast(new Random(alert.seed, alert.ordinal, BODY), tenantId, createdMs);
  const incidentId = cast.random.chance(0.05) ? null : String(40_000 + Math.floor(alert.ordinal / 2));
  const resolved = changes.find((change) => change.status === 'resolved');
  const link = (what: string) => `https://security.microsoft.com/${what}?tid=${tenantId}`;
  return {
    id,
    providerAlertId: id.slice(template.idPrefix.length),
    incidentId,
    status: state.status,
    severity: state.severity,
    classification: state.classification,
    determination: state.determination,
    serviceSource: template.serviceSource,
    detectionSource: template.detectionSource,
    productName: template.product,
    detectorId: template.detectorId,
    tenantId,
    title: template.title(cast),
    description: template.description(cast),
    recommendedActions: '',
    category: template.category,
    assignedTo: state.assignedTo,
    alertWebUrl: link(`alerts/${id}`),
    incidentWebUrl: incidentId === null ? null : link(`incidents/${incidentId}`),
    actorDisplayName: null,
    threatDisplayName: null,
    threatFamilyName: null,
    mitreTechniques: template.mitreTechniques,
    createdDateTime: textOfKey(alert.createdKey),
    lastUpdateDateTime: textOfKey(updatedKey),
    resolvedDateTime: resolved && state.status === 'resolved' ? textOfKey(resolved.key) : null,
    firstActivityDateTime: textOfMs(cast.beganMs),
    lastActivityDateTime: textOfMs(cast.foundMs - 10_000),
    systemTags: [],
    alertPolicyId: null,
    investigationState: null,
    categories: [template.category],
    customDetails: null,
    additionalData: null,
    ...template.more?.(cast),
    comments: commentsOf(changes),
    evidence: [...template.evidence(cast), ...changes.flatMap((change) => lateEvidence(alert, change))],
  };
}

function commentsOf(changes: readonly Change[]): object[] {
  return changes.flatMap(({ comment, key }) => {
    if (comment === undefined) return [];
    return [{ comment, createdByDisplayName: 'soc-l2@contoso.com', createdDateTime: textOfKey(key) }];
  });
}

/** Alerts are born incomplete at Microsoft too: further addresses and links are found later. */
function lateEvidence(alert: Alert, change: Change): Evidence[] {
  const foundMs = msOfKey(change.key);
  return Array.from({ length: change.evidence ?? 0 }, (_, index) => {
    const cast = drawCast(
      new Random(alert.seed, alert.ordinal, BODY, index, foundMs),
      alert.tenantId,
      foundMs,
    );
    return index % 2 === 0
      ? ipEvidence(cast, cast.attacker, { verdict: 'suspicious' })
      : cast.find('url', { url: `https://${cast.domain}/late`, verdict: 'suspicious' });
  });
}
