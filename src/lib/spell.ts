/** A time span for people, to two units: `850ms`, `12s`, `3m 12s`, `2h 5m`, `3d 4h`. */
export function spellDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  let rest = Math.round(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest %= seconds;
    if (count > 0) parts.push(`${count}${unit}`);
    // The unit after the first one ends it, whether or not there is any of it.
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** `1 record`, `4711 records`. */
export function spellCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Bytes for people: `512 B`, `3.2 MiB`, `2 GiB`. */
export function spellSize(bytes: number): string {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 2 ** (10 * power);
  const digits = power > 0 && value < 100 ? 1 : 0;
  return `${Number(value.toFixed(digits))} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}
