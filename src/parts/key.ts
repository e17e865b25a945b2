import { createHash } from 'node:crypto';
import { Secret } from '../lib/secret.ts';

/**
 * Two settings with one key are the same, their secrets too: by the file that a secret comes from, whatever that says by
 * now, or else by what it is. A hash, so that nothing of a secret can be seen.
 */
export function keyOf(settings: unknown): string {
  const text = JSON.stringify(settings, function (this: Record<string, unknown>, name, value) {
    const own = this[name];
    return own instanceof Secret ? (own.file ?? { is: own.reveal() }) : value;
  });
  return createHash('sha256').update(text).digest('hex');
}
