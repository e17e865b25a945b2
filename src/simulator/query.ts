import { badRequest } from './answer.ts';
import { type Filter, parseFilter } from './filter.ts';

/** What a list request asks for. */
export interface AlertsQuery {
  readonly filter: Filter | undefined;
  /** As it was asked for: one that is too large is not refused. */
  readonly top: number | undefined;
  readonly skip: number;
  readonly count: boolean;
  /** From a next link of ours; the rest of the query is then known already. */
  readonly skipToken: string | undefined;
}

const MAX_SKIP = 500;
const known = ['$filter', '$top', '$skip', '$count', '$skiptoken'];

/**
 * As strict as Graph: what it does not document for alerts (`$orderby`, `$select`, `$expand`, …) is refused, not
 * ignored, so that nobody builds on it.
 *
 * @throws {GraphError} 400, as Graph answers
 */
export function parseQuery(parameters: URLSearchParams): AlertsQuery {
  for (const name of parameters.keys()) {
    if (!known.includes(name)) throw badRequest(`Query option '${name}' is not supported for alerts_v2.`);
    if (parameters.getAll(name).length > 1) {
      throw badRequest(`Query option '${name}' was specified more than once.`);
    }
  }
  const filter = parameters.get('$filter');
  const count = parameters.get('$count') ?? 'false';
  if (count !== 'true' && count !== 'false') {
    throw badRequest(`Invalid value '${count}' for $count query option found.`);
  }
  return {
    filter: filter === null ? undefined : parseFilter(filter),
    top: wholeNumber('$top', parameters.get('$top'), 1, Infinity),
    skip: wholeNumber('$skip', parameters.get('$skip'), 0, MAX_SKIP) ?? 0,
    count: count === 'true',
    skipToken: parameters.get('$skiptoken') ?? undefined,
  };
}

function wholeNumber(name: string, text: string | null, min: number, max: number): number | undefined {
  if (text === null) return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min)) throw badRequest(`Invalid value '${text}' for ${name} query option found.`);
  if (value > max) throw badRequest(`The limit of '${max}' for ${name} query has been exceeded.`);
  return value;
}
