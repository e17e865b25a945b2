import { z } from 'zod';
import { Secret } from './secret.ts';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30s`, `1.5h`, `7d`; `undefined` when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS];
}

const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$/;
const SIZE_BYTES = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
} as const;

/** Bytes of `2GiB`, `512MiB`, `900kB`; `undefined` when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (!match) return undefined;
  return Math.round(Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES]);
}

/** A duration such as `30s`; milliseconds in the config. */
export function duration(limits: { min?: string; max?: string } = {}) {
  return parsed('a duration such as "30s", "10m" or "24h"', parseDuration, limits);
}

/** A size such as `2GiB`; bytes in the config. */
export function size(limits: { min?: string; max?: string } = {}) {
  return parsed('a size such as "16MiB" or "2GiB"', parseSize, limits);
}

function parsed(
  what: string,
  parse: (text: string) => number | undefined,
  limits: { min?: string; max?: string },
) {
  const min = limits.min === undefined ? 0 : (parse(limits.min) ?? 0);
  const max = limits.max === undefined ? Number.MAX_SAFE_INTEGER : (parse(limits.max) ?? 0);
  return z.string({ error: `expected ${what}` }).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) {
      context.addIssue({ code: 'custom', message: `expected ${what}, found ${JSON.stringify(text)}` });
      return z.NEVER;
    }
    if (value < min)
      context.addIssue({ code: 'custom', message: `must be at least ${limits.min}, found ${text}` });
    if (value > max)
      context.addIssue({ code: 'custom', message: `must be at most ${limits.max}, found ${text}` });
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

/** A path; a relative one is taken from the folder of the config file. */
export const PATH = 'path';
export function path() {
  return z
    .string()
    .min(1, 'expected a path')
    .meta({ [PATH]: true });
}

export const port = () => z.int().min(1).max(65_535);
