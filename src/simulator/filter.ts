import { badRequest } from './answer.ts';
import type { FilterFields } from './revision.ts';
import { timeKey } from './time.ts';

/**
 * The part of OData's `$filter` that Graph takes for alerts: comparisons of eight fields, `and`, `or`,
 * parentheses. Written by hand because the kept parsers on npm read a time into a `Date`, and lose four of its
 * seven fraction digits.
 *
 * @see https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html section 5.1.1
 */
export type Filter =
  | { readonly kind: 'and'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'or'; readonly left: Filter; readonly right: Filter }
  | {
      readonly kind: 'compare';
      readonly field: keyof FilterFields;
      readonly operator: Operator;
      /** A time as key. */
      readonly value: string | null;
    };

const operators = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const;
type Operator = (typeof operators)[number];

type FieldType = 'time' | 'text' | readonly string[];

/** The fields Graph documents for alerts, with the members of the enumerations. */
const fields: Readonly<Record<keyof FilterFields, FieldType>> = {
  createdDateTime: 'time',
  lastUpdateDateTime: 'time',
  assignedTo: 'text',
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
  classification: [
    'unknown',
    'falsePositive',
    'truePositive',
    'informationalExpectedActivity',
    'unknownFutureValue',
  ],
  determination: [
    'unknown',
    'apt',
    'malware',
    'securityPersonnel',
    'securityTesting',
    'unwantedSoftware',
    'other',
    'multiStagedAttack',
    'compromisedAccount',
    'phishing',
    'maliciousUserActivity',
    'notMalicious',
    'notEnoughDataToValidate',
    'confirmedActivity',
    'lineOfBusinessApplication',
    'unknownFutureValue',
  ],
};

/** A parenthesis, a text in quotes (a quote in it is doubled), or a word: name, operator, time, `null`. */
const TOKEN = /\s*([()]|'(?:[^']|'')*'|[^\s()']+)/y;

/** Deeper nesting is nobody's filter, and would only fill the stack. */
const MAX_DEPTH = 100;

/** @throws {GraphError} 400, as Graph answers */
export function parseFilter(text: string): Filter {
  const tokens = tokenize(text);
  let at = 0;
  let depth = 0;

  const next = (): string => tokens[at++] ?? fail(`Syntax error: the filter '${text}' ends too early.`);

  const disjunction = (): Filter => {
    let left = conjunction();
    while (tokens[at] === 'or') {
      at += 1;
      left = { kind: 'or', left, right: conjunction() };
    }
    return left;
  };

  const conjunction = (): Filter => {
    let left = primary();
    while (tokens[at] === 'and') {
      at += 1;
      left = { kind: 'and', left, right: primary() };
    }
    return left;
  };

  const primary = (): Filter => {
    if (tokens[at] !== '(') return comparison(next(), next(), next());
    if (++depth > MAX_DEPTH) fail('The recursion limit has been exceeded.');
    at += 1;
    const inner = disjunction();
    if (next() !== ')') fail(`')' or operator expected in '${text}'.`);
    depth -= 1;
    return inner;
  };

  const filter = disjunction();
  if (at < tokens.length) fail(`Syntax error at '${tokens[at]}' in '${text}'.`);
  return filter;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let end = 0; text.slice(end).trim() !== ''; end = TOKEN.lastIndex) {
    const token = TOKEN.exec(text)?.[1];
    tokens.push(token ?? fail(`Unterminated string literal in '${text}'.`));
  }
  return tokens;
}

function comparison(name: string, operator: string, literal: string): Filter {
  if (!Object.hasOwn(fields, name)) {
    fail(`Could not find a property named '${name}' on type 'microsoft.graph.security.alert'.`);
  }
  const field = name as keyof FilterFields;
  if (!isOperator(operator)) fail(`The operator '${operator}' is not supported.`);
  const type = fields[field];
  const value = type === 'time' ? timeValue(literal) : textValue(literal);
  if (type !== 'time' && operator !== 'eq' && operator !== 'ne') {
    fail(`The operator '${operator}' is not supported for '${name}'.`);
  }
  if (typeof type === 'object' && value !== null && !type.includes(value)) {
    fail(`The string '${value}' is not a valid enumeration type constant.`);
  }
  return { kind: 'compare', field, operator, value };
}

function isOperator(text: string): text is Operator {
  return (operators as readonly string[]).includes(text);
}

function timeValue(literal: string): string {
  if (literal.startsWith("'")) fail("The types 'Edm.DateTimeOffset' and 'Edm.String' are not compatible.");
  return timeKey(literal) ?? fail(`'${literal}' is not a date and time with zone.`);
}

function textValue(literal: string): string | null {
  if (literal === 'null') return null;
  if (!literal.startsWith("'")) fail(`A string in quotes was expected, '${literal}' was found.`);
  return literal.slice(1, -1).replaceAll("''", "'");
}

function fail(what: string): never {
  throw badRequest(`Invalid filter clause: ${what}`);
}

export function matches(filter: Filter, alert: FilterFields): boolean {
  if (filter.kind === 'and') return matches(filter.left, alert) && matches(filter.right, alert);
  if (filter.kind === 'or') return matches(filter.left, alert) || matches(filter.right, alert);
  const { operator, value } = filter;
  const actual = alert[filter.field];
  if (operator === 'eq') return actual === value;
  if (operator === 'ne') return actual !== value;
  if (actual === null || value === null) return false;
  if (operator === 'gt') return actual > value;
  if (operator === 'ge') return actual >= value;
  if (operator === 'lt') return actual < value;
  return actual <= value;
}

/** A span of `lastUpdateDateTime`, `from` <= key < `to`, and what the filter asks for besides. */
export interface Window {
  readonly from: string;
  readonly to: string;
  readonly rest: Filter | undefined;
}

/** Behind `key` and before the next one: keys are of one length, and `~` sorts behind every character of theirs. */
export function after(key: string): string {
  return `${key}~`;
}

const BEGINNING = '';
const END = '~';

/** Whether it has a beginning or an end. */
export function isBounded({ from, to }: Window): boolean {
  return from !== BEGINNING || to !== END;
}

/** Where `lastUpdateDateTime` of all that matches lies, as far as the outermost `and`s tell. */
export function windowOf(filter: Filter | undefined): Window {
  const rest = filter;
  if (filter?.kind === 'and') {
    const [left, right] = [windowOf(filter.left), windowOf(filter.right)];
    return {
      from: left.from > right.from ? left.from : right.from,
      to: left.to < right.to ? left.to : right.to,
      rest: both(left.rest, right.rest),
    };
  }
  if (filter?.kind !== 'compare' || filter.field !== 'lastUpdateDateTime' || filter.value === null) {
    return { from: BEGINNING, to: END, rest };
  }
  const { operator, value } = filter;
  const span = { from: BEGINNING, to: END, rest: undefined };
  if (operator === 'ge') return { ...span, from: value };
  if (operator === 'gt') return { ...span, from: after(value) };
  if (operator === 'lt') return { ...span, to: value };
  if (operator === 'le') return { ...span, to: after(value) };
  if (operator === 'eq') return { ...span, from: value, to: after(value) };
  return { ...span, rest };
}

function both(left: Filter | undefined, right: Filter | undefined): Filter | undefined {
  return left && right ? { kind: 'and', left, right } : (left ?? right);
}
