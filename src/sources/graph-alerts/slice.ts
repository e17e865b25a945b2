import { isoOfTicks } from '../../core/ticks.ts';

/** What one request asks for: alerts that were updated at `from` or later, and before `to` if that is there. */
export interface Slice {
  /** Ticks. */
  readonly from: bigint;
  readonly to?: bigint;
  /** Only a tie too large to be paged is divided further: by when its alerts were created, ticks … */
  readonly created?: { readonly from?: bigint; readonly to?: bigint };
  /** … and then by product: this one, or all but these. */
  readonly product?: { readonly is: string } | { readonly not: readonly string[] };
}

/** A closed slice: a window. */
export type Window = Slice & { readonly to: bigint };

/** All alerts of it have one and the same time. */
export const isTick = ({ from, to }: Slice): boolean => to !== undefined && to - from <= 1n;

/**
 * The `$filter` for a slice. `ge`, never `gt`: several alerts may have the same time (trap G3).
 *
 * @param products the only ones wanted (`serviceSource`); none: all
 */
export function filterOf({ from, to, created, product }: Slice, products: readonly string[]): string {
  const terms = [`lastUpdateDateTime ge ${isoOfTicks(from)}`];
  if (to !== undefined) terms.push(`lastUpdateDateTime lt ${isoOfTicks(to)}`);
  if (created?.from !== undefined) terms.push(`createdDateTime ge ${isoOfTicks(created.from)}`);
  if (created?.to !== undefined) terms.push(`createdDateTime lt ${isoOfTicks(created.to)}`);
  if (products.length > 0) terms.push(`(${products.map((name) => is('eq', name)).join(' or ')})`);
  if (product)
    terms.push(...('is' in product ? [is('eq', product.is)] : product.not.map((name) => is('ne', name))));
  return terms.join(' and ');
}

const is = (operator: string, name: string): string =>
  `serviceSource ${operator} '${name.replaceAll("'", "''")}'`;

/** What is known of an alert of a tie. */
export interface Tied {
  readonly created: bigint;
  readonly product: string;
}

/** Whether an alert may stand in the answer to a slice, as far as its creation goes. */
export const isPart = ({ created }: Slice, alert: Tied): boolean =>
  (created?.from === undefined || alert.created >= created.from) &&
  (created?.to === undefined || alert.created < created.to);

/**
 * A tie in smaller slices that make up the whole (R3): in two halves by when its alerts were created, as far as they
 * differ, then by product. Empty: nothing is left to divide it by.
 *
 * @param tied all of them are part of the slice
 */
export function divided(slice: Window, tied: readonly Tied[]): Window[] {
  const created = [...new Set(tied.map((alert) => alert.created))].sort((a, b) => (a < b ? -1 : 1));
  const middle = created[Math.floor(created.length / 2)];
  if (created.length > 1 && middle !== undefined) {
    return [
      { ...slice, created: { ...slice.created, to: middle } },
      { ...slice, created: { ...slice.created, from: middle } },
    ];
  }
  const products = [...new Set(tied.map((alert) => alert.product).filter((name) => name !== ''))];
  if (slice.product || products.length === 0) return [];
  return [
    ...products.map((name) => ({ ...slice, product: { is: name } })),
    { ...slice, product: { not: products } },
  ];
}
