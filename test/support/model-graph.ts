import { UnavailableError } from '../../src/core/errors.ts';
import { isoOfTicks, ticksOf, ticksOfMs } from '../../src/core/ticks.ts';
import type { Graph, GraphPage, PageOptions } from '../../src/net/graph.ts';

export interface ModelAlert {
  readonly id: string;
  revision: bigint;
  readonly created: bigint;
  /** By its clock (milliseconds since 1970); before, it cannot be read. Default: always there. */
  visibleMs?: number;
  readonly product?: string | null;
  severity?: string;
  status?: string;
}

/** Far more than any reading needs: who asks more goes round in circles. */
const MOST_ASKED = 5_000;

const OPERATORS: Record<string, (a: bigint | string, b: bigint | string) => boolean> = {
  ge: (a, b) => a >= b,
  lt: (a, b) => a < b,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
};

const FIELDS: Record<string, (alert: ModelAlert) => bigint | string> = {
  lastUpdateDateTime: ({ revision }) => revision,
  createdDateTime: ({ created }) => created,
  serviceSource: ({ product = 'microsoft365Defender' }) => product ?? '',
};

/**
 * Graph's list of alerts in memory: filter, `$top`, `$count`, and pages cut by position out of the list as it is at
 * the time of each request, as Graph does it. A test bends it by its fields.
 */
export class ModelGraph implements Graph {
  readonly tenant = 'contoso';
  readonly origin = 'https://graph.test';
  alerts: ModelAlert[] = [];
  /** Its clock, milliseconds since 1970; `undefined`: answers without `Date`. */
  date: () => number | undefined = () => Date.parse('2025-03-04T12:00:00Z');
  order: (a: ModelAlert, b: ModelAlert) => number = (a, b) => Number(b.revision - a.revision);
  /** What it says of how many there are. */
  count: (real: number) => number | undefined = (real) => real;
  /** Beyond so many rows no next link is given … */
  skipLimit = Number.POSITIVE_INFINITY;
  /** … or a link that is refused. */
  refusesSkip = false;
  clamp = 1000;
  /** May throw in the place of an answer; given the alerts that match. */
  fault: (url: URL, matching: readonly ModelAlert[]) => void = () => {};
  /** Runs after each answer: the place to move alerts while they are being read. */
  after: (url: URL) => void = () => {};
  readonly asked: URL[] = [];

  async page<T>(address: string, { signal, row }: PageOptions<T>): Promise<GraphPage<T>> {
    signal.throwIfAborted();
    const url = new URL(address);
    if (this.asked.push(url) > MOST_ASKED) throw new Error('it asks without an end');
    const query = url.searchParams;
    const now = this.date() ?? Number.POSITIVE_INFINITY;
    const matching = this.alerts
      .filter(({ visibleMs = 0 }) => visibleMs <= now)
      .filter(matcherOf(query.get('$filter') ?? ''))
      .sort(this.order);
    this.fault(url, matching);
    const skip = Number(query.get('$skip') ?? 0);
    if (this.refusesSkip && skip > this.skipLimit) {
      throw new UnavailableError('Graph refuses the request: HTTP 400: skip too large', {
        reason: 'request',
      });
    }
    const top = Math.min(Number(query.get('$top')), this.clamp);
    const rows = matching.slice(skip, skip + top).map(bodyOf);
    const end = skip + rows.length;
    const goesOn = end < matching.length && (this.refusesSkip || end < this.skipLimit);
    query.set('$skip', String(end));
    const page = {
      rows: rows.map((body) => row(body, Buffer.from(JSON.stringify(body)))),
      next: goesOn ? url.href : undefined,
      count: query.has('$count') ? this.count(matching.length) : undefined,
      bytes: JSON.stringify(rows).length,
      dateMs: this.date(),
    };
    this.after(url);
    return page;
  }

  async close(): Promise<void> {}

  /** Filters of all requests but control requests. */
  filters(): string[] {
    const asked = this.asked.filter(({ searchParams }) => searchParams.get('$top') !== '1');
    return asked.flatMap(({ searchParams }) => searchParams.get('$filter') ?? []);
  }
}

export const bodyOf = ({
  id,
  revision,
  created,
  product = 'microsoft365Defender',
  visibleMs: _,
  ...rest
}: ModelAlert) => ({
  id,
  lastUpdateDateTime: isoOfTicks(revision),
  createdDateTime: isoOfTicks(created),
  serviceSource: product,
  severity: 'high',
  status: 'new',
  ...rest,
});

export const at = (time: string): bigint => ticksOf(`2025-03-04T${time}Z`)!;
export const atMs = (ms: number): bigint => ticksOfMs(ms);

/** The meaning of a `$filter`, as far as a source of ours uses the language. */
function matcherOf(filter: string): (alert: ModelAlert) => boolean {
  if (filter === '') return () => true;
  const terms = filter.split(' and ').map((term) => {
    const either = term
      .replace(/^\(|\)$/g, '')
      .split(' or ')
      .map(termOf);
    return (alert: ModelAlert) => either.some((holds) => holds(alert));
  });
  return (alert) => terms.every((holds) => holds(alert));
}

function termOf(term: string): (alert: ModelAlert) => boolean {
  const [, field = '', operator = '', value = ''] = /^(\w+) (\w+) (\S+)$/.exec(term) ?? [];
  const [fieldOf, test] = [FIELDS[field], OPERATORS[operator]];
  const wanted = value.startsWith("'") ? value.slice(1, -1) : ticksOf(value);
  if (!fieldOf || !test || wanted === undefined) throw new Error(`the filter is not one: ${term}`);
  return (alert) => test(fieldOf(alert), wanted);
}
