import { closest, distance } from 'fastest-levenshtein';

/** The one of `words` that was probably meant, if any is near enough. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  // The distance is quadratic in the length; nobody means a word that is much shorter than what was written.
  if (words.length === 0 || word.length > 64) return undefined;
  const swapped = words.filter((candidate) => isSwap(plain(word), plain(candidate)));
  return [...swapped, closest(word, words), ...words].find((candidate) =>
    isSlip(plain(word), plain(candidate)),
  );
}

/** `did you mean "port"?` */
export function didYouMean(word: string, words: readonly string[]): string | undefined {
  const meant = nearest(word, words);
  return meant === undefined ? undefined : `did you mean ${JSON.stringify(meant)}?`;
}

function isSlip(written: string, meant: string): boolean {
  if (distance(written, meant) <= Math.max(1, Math.floor(meant.length / 3))) return true;
  if (isSwap(written, meant)) return true;
  // "warning" for "warn", "dir" for "directory".
  const [short, long] = written.length < meant.length ? [written, meant] : [meant, written];
  return short.length >= 3 && long.startsWith(short);
}

/** Letters that changed places count twice in the distance, though it is one slip. */
function isSwap(written: string, meant: string): boolean {
  return letters(written) === letters(meant);
}

const plain = (text: string) => text.toLowerCase().replaceAll(/[_-]/g, '');
const letters = (text: string) => [...text].sort().join('');
