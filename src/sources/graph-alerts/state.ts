import { hash } from 'node:crypto';
import type { AlertState } from '../../core/changes.ts';

/** Longer ones are cut: it is kept for each alert of 90 days. */
const MOST_CHARACTERS = 128;
/** Further remediation states are in the hash only. */
const MOST_KINDS = 8;

/** How an alert stands; nothing is asked of what it holds. */
export function stateOf(alert: Readonly<Record<string, unknown>>): AlertState {
  const comments = listOf(alert.comments);
  const evidence = listOf(alert.evidence);
  const remediation = evidence.map(({ remediationStatus }) => word(remediationStatus));
  return {
    status: word(alert.status),
    severity: word(alert.severity),
    classification: word(alert.classification),
    determination: word(alert.determination),
    assignedTo: word(alert.assignedTo),
    comments: `${comments.length} ${hashOf(comments.map(keyOfComment))}`,
    evidence: `${evidence.length} ${hashOf(evidence.map(keyOfEvidence))}`,
    remediation: `${countsOf(remediation)} ${hashOf(remediation)}`,
  };
}

type Thing = Readonly<Record<string, unknown>>;

function listOf(value: unknown): readonly Thing[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown) => (typeof item === 'object' && item !== null ? (item as Thing) : {}));
}

/** Graph's words for "not known" are as good as none. */
function word(value: unknown): string {
  if (typeof value !== 'string' || value === 'unknown' || value === 'unknownFutureValue') return '';
  return value.slice(0, MOST_CHARACTERS);
}

const keyOfComment = ({ comment, createdByDisplayName, createdDateTime }: Thing): string =>
  keyOf([createdDateTime, createdByDisplayName, comment]);

/** What tells one piece from another and is cheap; the pieces themselves may be megabytes. */
const keyOfEvidence = (piece: Thing): string =>
  keyOf([piece['@odata.type'], piece.createdDateTime, piece.verdict]);

const keyOf = (values: readonly unknown[]): string =>
  JSON.stringify(values.map((value) => (typeof value === 'string' ? value : '')));

/** `active 2, remediated 1`, of those that say something. */
function countsOf(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const each of words) if (each !== '') counts.set(each, (counts.get(each) ?? 0) + 1);
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_KINDS);
  return kinds.map(([kind, count]) => `${kind.slice(0, 32)} ${count}`).join(', ');
}

/** Graph may list them in another order at each reading: that is no change. */
function hashOf(keys: readonly string[]): string {
  const text = keys.toSorted().join('\n');
  return hash('sha256', text).slice(0, 12);
}
