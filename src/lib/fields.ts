import { z } from 'zod';
import { DURATION, parseDuration, parseSize, SIZE } from './measures.ts';
import { Secret } from './secret.ts';

/**
 * A duration such as `30s`; milliseconds in the config. Give a `max` of at most 24 days to what becomes a timer:
 * Node fires a longer one at once.
 */
export function duration(limits: { min?: string; max?: string } = {}) {
  const bounds = { min: '0s', max: '3650d', ...limits };
  return parsed('a duration such as "30s", "10m" or "24h"', parseDuration, bounds).meta({
    title: 'duration',
    pattern: DURATION.source,
  });
}

/** A size such as `2GiB`; bytes in the config. */
export function size(limits: { min?: string; max?: string } = {}) {
  const bounds = { min: '0B', max: '1024TiB', ...limits };
  return parsed('a size such as "16MiB" or "2GiB"', parseSize, bounds).meta({
    title: 'size',
    pattern: SIZE.source,
  });
}

/** The messages do not repeat the text: whether it may be shown is known to the config loader only. */
function parsed(
  what: string,
  parse: (text: string) => number | undefined,
  limits: { min: string; max: string },
) {
  const bound = (text: string): number => {
    const value = parse(text);
    if (value === undefined) throw new Error(`the limit ${JSON.stringify(text)} is not ${what}`);
    return value;
  };
  const min = bound(limits.min);
  const max = bound(limits.max);
  return z.string({ error: `expected ${what}` }).transform((text, context) => {
    // `continue`: in a union with another form, zod then keeps the messages of both.
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message, continue: true });
      return z.NEVER;
    };
    const value = parse(text);
    if (value === undefined) return refuse(`expected ${what}`);
    if (value < min) return refuse(`must be at least ${limits.min}`);
    if (value > max) return refuse(`must be at most ${limits.max}`);
    return value;
  });
}

/** Meta key by which the config loader knows that a setting is a secret. */
export const SECRET = 'secret';

/** A secret: in the file only as `${env:NAME}` or `${file:PATH}`, in the program only as {@link Secret}. */
export function secret() {
  return z
    .string()
    .min(1, 'the secret is empty')
    .transform((value) => new Secret(value))
    .meta({ [SECRET]: true });
}

/** Meta key of an open enum: the values that are known; another one is only warned of. */
export const KNOWN = 'known';

/** One of a set that others may add to: any text, and a slip of the pen is warned of. */
export function openEnum(known: readonly string[]) {
  return z
    .string()
    .min(1)
    .meta({ [KNOWN]: known });
}

/** Meta key of paths: `file` is to be read and must be there, `place` is the program's own to make. */
export const PATH = 'path';

/** A file to read; a relative path is taken from the folder of the config file. Absolute in the config. */
export function path() {
  return z
    .string()
    .min(1, 'expected a path')
    .meta({ [PATH]: 'file' });
}

/** A file or folder that is made when missing; relative and absolute as {@link path}. */
export function place({ orMemory = false } = {}) {
  return z
    .string()
    .min(1, 'expected a path')
    .meta({ [PATH]: orMemory ? PLACE_OR_MEMORY : 'place' });
}

/** Kind of a path in whose place may stand that there is none: {@link IN_MEMORY}. */
export const PLACE_OR_MEMORY = 'place or memory';

/** Meta key of a value for the commented example, of a setting that has no default and must be set. */
export const EXAMPLE = 'example';

export const port = () => z.int().min(1).max(65_535);
