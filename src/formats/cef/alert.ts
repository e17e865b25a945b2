import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json, RelayRecord } from '../../core/record.ts';
import { msOfTicks, ticksOf } from '../../core/ticks.ts';
import { Draft } from './draft.ts';
import { type Actions, readEvidenceOf } from './entities.ts';
import { clean } from './escape.ts';
import { categoryOf, externalIdOf } from './header.ts';
import { place } from './place.ts';
import { compactJson, known, list, object, text, texts, type Untrusted } from './read.ts';

/** An alert of `/security/alerts_v2`; what Microsoft's types do not know yet stands here. */
export type Alert = Untrusted<
  Graph.Alert & { id: string; systemTags: string[]; customDetails: Record<string, string> }
>;

/** What an alert says, under the keys of profile `defender`; only what the sending adds is missing. */
export function draftOf(record: RelayRecord, alert: Alert): Draft {
  const draft = new Draft();
  const { entities, actions, tags } = readEvidenceOf(alert.evidence, text(alert.serviceSource));

  const externalId = externalIdOf(record.id);
  draft.set('externalId', externalId);
  draft.set('rt', timestamp(record.timeMs) || timestamp(record.createdMs));
  draft.set('start', date(alert.firstActivityDateTime));
  draft.set('end', date(alert.lastActivityDateTime));
  draft.set('cat', categoryOf(alert));
  draft.set('act', actionOf(actions));
  draft.set('outcome', record.outcome);
  draft.set('msg', text(alert.description));
  draft.set('cs4', threatOf(alert));
  draft.set('deviceExternalId', text(alert.tenantId));
  draft.set('deviceFacility', record.tenant);
  draft.set('sourceServiceName', known(alert.detectionSource));
  draft.set('cs1', text(alert.alertWebUrl));
  draft.set('cs2', texts(alert.mitreTechniques).join(','));
  draft.set('cs3', text(alert.incidentWebUrl));
  // An integer in practice; one that is not stands in cs3.
  const incident = text(alert.incidentId);
  if (/^\d{1,18}$/.test(incident)) draft.set('cn1', incident);
  draft.set('cn2', String(list(alert.evidence).length));
  draft.set('deviceCustomDate1', date(alert.createdDateTime));
  draft.set('deviceCustomDate2', date(alert.resolvedDateTime));
  draft.set('flexString1', text(alert.status));
  draft.set(
    'flexString2',
    [known(alert.classification), known(alert.determination)].filter(Boolean).join('/'),
  );

  // The first item: an analyst looks at it first.
  for (const { field, from, to } of record.changed ?? [])
    draft.item(`changed:${field}:${from || 'none'}>${to || 'none'}`);
  place(entities, draft);
  draft.itemsOfMisfits();
  // Elsewhere the link has the whole of an id that was shortened.
  if (externalId !== clean(record.id) && !text(alert.alertWebUrl).includes(record.id)) {
    draft.item(`id:${record.id}`);
  }
  for (const tag of new Set([...texts(fromEither(alert, 'systemTags')), ...tags])) draft.item(`tag:${tag}`);
  for (const [name, value] of Object.entries(object(fromEither(alert, 'customDetails')))) {
    if (name.startsWith('@')) continue;
    const said = text(value) || compactJson(value, 200);
    if (said !== 'null') draft.item(`custom:${name}:${said}`);
  }
  return draft;
}

/** Milliseconds since 1970 of a time as Graph writes it; empty when it is none, or .NET's empty date (year 1). */
function date(raw: Json | undefined): string {
  const ticks = ticksOf(raw);
  return ticks === undefined ? '' : timestamp(msOfTicks(ticks));
}

function timestamp(ms: number): string {
  if (!(ms > 0 && Number.isFinite(ms))) return '';
  const whole = Math.trunc(ms);
  // An integer of so many digits is written much sooner than a double.
  return String(Number.isSafeInteger(whole) ? BigInt(whole) : whole);
}

/** Graph also keeps these in `additionalData`. */
function fromEither(alert: Alert, name: 'systemTags' | 'customDetails'): Json | undefined {
  return alert[name] ?? object(alert.additionalData)[name];
}

const open = ['active', 'unremediated', 'declined', 'running', 'pendingApproval'];
const closed = ['blocked', 'prevented', 'remediated', 'partiallyRemediated'];

/** An open item must not hide behind a blocked one. */
function actionOf(actions: Actions): string {
  if (open.some((status) => actions.has(status))) return 'active';
  return closed.find((status) => actions.has(status)) ?? 'detected';
}

/** `name (family; actor X)`, of what there is. */
function threatOf(alert: Alert): string {
  const name = text(alert.threatDisplayName);
  const actor = text(alert.actorDisplayName);
  const more = [text(alert.threatFamilyName), actor && `actor ${actor}`].filter(Boolean).join('; ');
  return name !== '' && more !== '' ? `${name} (${more})` : name || more;
}
