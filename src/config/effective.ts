import { stringify } from 'yaml';
import { z } from 'zod';
import { SECRET } from '../lib/fields.ts';
import { optionsOf, unwrap } from './prepare.ts';
import { impliedBy } from './schema.ts';
import type { Node } from './yaml.ts';

type Schema = z.core.$ZodType;
type Settings = Readonly<Record<string, unknown>>;

/** Shorter ones would be found everywhere; nobody has such a secret. */
const LEAST_SECRET = 4;

/**
 * The config as it would stand in a file that leaves nothing out: defaults filled in, paths absolute, references
 * resolved where that can be done, each secret as `***`.
 *
 * @param input what the schema is given (`prepare.ts`)
 * @param root the tree of the file, for what could not be resolved
 */
export function effective(schema: z.ZodObject, input: unknown, root: Node): Settings {
  const secrets = new Set<string>();
  const filled = fill(schema, input, root, secrets) as Settings;
  const sinks = filled.sinks as readonly (Settings & { type: string })[];
  const whole = { ...filled, sinks: sinks.map((sink) => merge(sink, impliedBy(sink))) };
  // Of a setting that is none, but was given the same text.
  return struck(whole, [...secrets]) as Settings;
}

/** As a config file. */
export function yamlOf(settings: Settings): string {
  return stringify(settings, { lineWidth: 0 });
}

function fill(outer: Schema, input: unknown, node: Node | undefined, secrets: Set<string>): unknown {
  const { schema, meta, initial, standard } = unwrap(outer);
  if (meta[SECRET] === true) {
    if (typeof input === 'string' && input.length >= LEAST_SECRET) secrets.add(input);
    return input !== undefined || node?.kind === 'text' ? '***' : undefined;
  }
  if (input === undefined) {
    // A reference that leads nowhere, in a part that nobody needs now.
    const written = node === undefined || node.kind === 'empty' ? initial : node;
    return written?.kind === 'text' ? written.text : standard;
  }
  if (schema instanceof z.ZodArray) {
    return (input as readonly unknown[]).map((item, index) =>
      fill(schema.element, item, node?.kind === 'list' ? node.items[index] : undefined, secrets),
    );
  }
  const object = objectOf(schema, input);
  if (!object) return input;
  const entries = Object.entries(object.shape).flatMap(([key, field]) => {
    const below = node?.kind === 'map' ? node.entries.get(key)?.value : undefined;
    const value = fill(field, (input as Settings)[key], below, secrets);
    return value === undefined ? [] : [[key, value] as const];
  });
  const { name, type, ...rest } = Object.fromEntries(entries);
  return { ...(name !== undefined && { name }), ...(type !== undefined && { type }), ...rest };
}

/** What settings are in there, if they are any. */
function objectOf(schema: Schema, input: unknown): z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema;
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return undefined;
  return optionsOf(schema).get(String((input as Settings)[schema.def.discriminator]));
}

/** `settings`, and what is missing in them. */
function merge(settings: Settings, missing: Settings): Settings {
  const added = Object.entries(missing).map(([key, value]) => {
    const own = settings[key];
    if (own === undefined) return [key, value] as const;
    return [key, isSettings(own) && isSettings(value) ? merge(own, value) : own] as const;
  });
  return { ...settings, ...Object.fromEntries(added) };
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function struck(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string')
    return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), value);
  if (Array.isArray(value)) return value.map((item: unknown) => struck(item, secrets));
  if (!isSettings(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, struck(item, secrets)]));
}
