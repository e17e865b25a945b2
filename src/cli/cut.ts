const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Written two columns wide: East Asian scripts and pictures; rather too many than too few. */
const WIDE =
  /[\p{Extended_Pictographic}\p{Regional_Indicator}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uffe6\u{20000}-\u{3fffd}]/u;

/** The beginning of a line, as much as fits into so many columns of a terminal, with `…` where it was cut. */
export function cutTo(columns: number, line: string): string {
  let width = 0;
  /** Where the line still has room for the `…`. */
  let end = 0;
  for (const { segment, index } of graphemes.segment(line)) {
    if (width < columns) end = index;
    width += WIDE.test(segment) ? 2 : 1;
    if (width > columns) return `${line.slice(0, end)}…`;
  }
  return line;
}
