/** What an analyst, or Defender for them, does about an alert (design D14). */
export const stateFields = [
  'status',
  'severity',
  'classification',
  'determination',
  'assignedTo',
  'comments',
  'evidence',
  'remediation',
] as const;
export type StateField = (typeof stateFields)[number];

/** Those told in short: how many or how much, and after the last blank a hash of what they are made of. */
const short: ReadonlySet<StateField> = new Set(['comments', 'evidence', 'remediation']);

/** How an alert stands at one revision, a short text for each field; empty: not set. */
export type AlertState = Readonly<Record<StateField, string>>;

/** One field differs; where the two texts are alike, it is what is behind them that has changed. */
export interface Change {
  readonly field: StateField;
  readonly from: string;
  readonly to: string;
}

/** What differs between two states, in the order of the fields. What one of them does not know is no difference. */
export function changesBetween(from: Partial<AlertState>, to: Partial<AlertState>): Change[] {
  return stateFields.flatMap((field) => {
    const [before, after] = [from[field], to[field]];
    if (before === undefined || after === undefined || before === after) return [];
    return { field, from: shown(field, before), to: shown(field, after) };
  });
}

function shown(field: StateField, value: string): string {
  return short.has(field) ? value.slice(0, Math.max(0, value.lastIndexOf(' '))) : value;
}

/** As it is stored: a list in the order of the fields, to which further ones may be added. */
export function formatState(state: AlertState): string {
  return JSON.stringify(stateFields.map((field) => state[field]));
}

/** Total: of what cannot be read nothing is known, and so no changes. */
export function parseState(text: string): Partial<AlertState> {
  try {
    const values: unknown = JSON.parse(text);
    if (!Array.isArray(values)) return {};
    const known = stateFields.map((field, index): [StateField, unknown] => [field, values[index]]);
    return Object.fromEntries(known.filter(([, value]) => typeof value === 'string'));
  } catch {
    return {};
  }
}
