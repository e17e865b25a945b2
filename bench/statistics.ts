/** Of nothing: `NaN`, which holds no bar. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How far the least and the most lie apart, as a share of the median; of less than two values 0. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0;
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** The least value that so large a share of all do not exceed. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const { length } = sorted;
  return length === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(share * length) - 1)]!;
}
