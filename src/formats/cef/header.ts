import { hash } from 'node:crypto';
import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import { clean, shorten } from './escape.ts';
import { text, type Untrusted } from './read.ts';

/** `serviceSource` → Device Product. Receivers bind their content to vendor and product. */
const products: ReadonlyMap<string, string> = new Map([
  ['microsoftDefenderForEndpoint', 'Microsoft Defender for Endpoint'],
  ['microsoftDefenderForIdentity', 'Microsoft Defender for Identity'],
  ['microsoftDefenderForCloudApps', 'Microsoft Defender for Cloud Apps'],
  ['microsoftDefenderForOffice365', 'Microsoft Defender for Office 365'],
  ['microsoftDefenderForCloud', 'Microsoft Defender for Cloud'],
  ['microsoft365Defender', 'Microsoft Defender XDR'],
  ['azureAdIdentityProtection', 'Microsoft Entra ID Protection'],
  ['microsoftAppGovernance', 'Microsoft App Governance'],
  ['dataLossPrevention', 'Microsoft Purview DLP'],
  ['microsoftInsiderRiskManagement', 'Microsoft Purview Insider Risk Management'],
  ['microsoftSentinel', 'Microsoft Sentinel'],
]);

export function productOf(serviceSource: string): string {
  return products.get(serviceSource) ?? 'Microsoft Defender';
}

/**
 * CEF's number for each severity of Graph. Its bands: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high. One that we do not
 * know must not fall below a rule for "medium".
 */
export const defaultSeverities = { unknown: 5, informational: 1, low: 3, medium: 6, high: 8, critical: 10 };

export type Severities = Readonly<typeof defaultSeverities>;

export function severityOf(severity: string, severities: Severities): number {
  const word = severity.toLowerCase();
  return Object.hasOwn(severities, word) ? severities[word as keyof Severities] : severities.unknown;
}

export type SignatureId = 'detector' | 'category' | 'title';

/** Longest event class id, bytes. CEF allows 1,023 characters; this leaves room in a small event. */
const MAX_CLASS_BYTES = 128;

/** Names the kind of event: what detected it, never the one occurrence. */
export function classIdOf(alert: Untrusted<Graph.Alert>, by: SignatureId): string {
  const slug = () => `title:${slugOf(text(alert.title))}`;
  if (by === 'title') return slug();
  const id =
    (by === 'category' ? clean(categoryOf(alert)) : '') ||
    detector(text(alert.detectorId)) ||
    detector(text(alert.alertPolicyId)) ||
    slug();
  // An identifier is never cut: two of them could become one.
  return fits(id) ? id : shortId(id, 16);
}

/** Whether it is short enough as a header field, with its escapes. */
function fits(id: string): boolean {
  // A code unit is at most three bytes: hardly any id need be counted.
  if (3 * id.length <= MAX_CLASS_BYTES) return true;
  return id.length <= MAX_CLASS_BYTES && Buffer.byteLength(id.replace(/[\\|]/g, '$&$&')) <= MAX_CLASS_BYTES;
}

function detector(id: string): string {
  return id === 'unknown' || id === '00000000-0000-0000-0000-000000000000' ? '' : clean(id);
}

/** Titles name malware, users and hosts in quotes; those and digits tell one occurrence from another. */
function slugOf(title: string): string {
  const words = shorten(title, 512)
    .text.toLowerCase()
    .replace(/(?<![\p{L}\d])(["'`])[^"'`]*\1(?![\p{L}\d])|[‘“„][^‘’“”„]*[’”“]/gu, ' ')
    .replace(/[^\p{L}\p{M}]+/gu, '-')
    .replace(/^-|-$/g, '');
  // With `title:` at most 100 characters, and 100 bytes too. A character that was cut in two goes as a whole.
  const start = Buffer.from(words).subarray(0, 94).toString();
  return start.replace(/[\ufffd-]+$/, '') || 'alert';
}

/** The category; empty when it is Microsoft's word for having none. */
export function categoryOf(alert: Untrusted<Graph.Alert>): string {
  const category = text(alert.category);
  return category.toLowerCase() === 'none' ? '' : category;
}

/** Title, else category, else a word: a header field may not be empty. */
export function nameOf(alert: Untrusted<Graph.Alert>): { readonly text: string; readonly cut: boolean } {
  const title = shorten(text(alert.title), 512);
  if (title.text !== '') return title;
  const category = shorten(categoryOf(alert), 512);
  return category.text === '' ? { text: 'Alert', cut: false } : category;
}

/** Longest externalId, characters. */
const MAX_EXTERNAL_ID = 40;

/** The id, or for one that is too long a short one that is the same every time, so that receivers can de-duplicate. */
export function externalIdOf(id: string): string {
  const whole = clean(id);
  return hasAtMost(MAX_EXTERNAL_ID, whole) ? whole : shortId(id, 23);
}

function hasAtMost(max: number, text: string): boolean {
  return text.length <= max || (text.length <= 2 * max && Array.from(text).length <= max);
}

/** The first `start` characters, `~`, and 16 hexadecimal digits of the SHA-256. */
function shortId(id: string, start: number): string {
  const beginning = Array.from(clean(id.slice(0, 4 * start)))
    .slice(0, start)
    .join('');
  return `${beginning}~${hash('sha256', id, 'hex').slice(0, 16)}`;
}
