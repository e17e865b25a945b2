import { didYouMean } from './nearest.ts';
import type { Path } from './problem.ts';

/** Two entries that do not go together. */
export interface Disagreement {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
}

/**
 * What the entries of a config must agree on: names differ, and a tenant that is named is there. Looks at the
 * schema's input, not its output, to be told together with what is wrong inside the entries.
 */
export function disagreements(input: unknown): Disagreement[] {
  const tenants = textsOf(input, 'tenants', 'name');
  const known = tenants.filter((name) => name !== undefined);
  const strangers = textsOf(input, 'sources', 'tenant').flatMap((tenant, index) => {
    if (tenant === undefined || known.includes(tenant)) return [];
    const hint = didYouMean(tenant, known) ?? `tenants has ${known.join(', ') || 'none'}`;
    return [{ path: ['sources', index, 'tenant'], message: 'expected the name of a tenant', hint }];
  });
  return [...['tenants', 'sources', 'sinks'].flatMap((part) => repeatedNames(input, part)), ...strangers];
}

function repeatedNames(input: unknown, part: string): Disagreement[] {
  const names = textsOf(input, part, 'name');
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (name === undefined || first === index) return [];
    const message = `the same name as ${part}[${first}]`;
    return [{ path: [part, index, 'name'], message, hint: 'give each its own: it is known by it' }];
  });
}

/** `key` of each entry of a part, `undefined` where it is no text. */
function textsOf(input: unknown, part: string, key: string): (string | undefined)[] {
  const entries = propertyOf(input, part);
  if (!Array.isArray(entries)) return [];
  return entries.map((entry: unknown) => {
    const value = propertyOf(entry, key);
    return typeof value === 'string' ? value : undefined;
  });
}

function propertyOf(thing: unknown, key: string): unknown {
  return typeof thing === 'object' && thing !== null ? (thing as Record<string, unknown>)[key] : undefined;
}
