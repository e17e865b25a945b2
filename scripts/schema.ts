import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import type { JsonSchema } from './settings.ts';

/** Where it stands, from the root of the repository. */
export const SCHEMA = 'config/relay.schema.json';

/** JSON Schema as it goes out: of our own keywords nothing is left. */
type Plain = Readonly<Record<string, unknown>>;

/** A text with `${env:NAME}` or `${file:PATH}` in it, which may stand wherever a text or a number may. */
const REFERENCE = { $ref: '#/$defs/reference' };

/**
 * The schema of a config file for editors (yaml-language-server). It is of what may stand in the file: a reference in
 * the place of a number, nothing in the place of a default, a text that looks like a number. What one setting asks
 * of another is beyond it; `validate` tells.
 */
export function editorSchema(): string {
  const config = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema & Plain;
  const { $schema, ...rest } = config;
  const schema = {
    $schema,
    title: 'defender-relay',
    description: 'Config of defender-relay. `defender-relay validate` checks more than this schema can say.',
    ...written(rest, false),
    $defs: { reference: { type: 'string', pattern: '\\$\\{(env|file):' } },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function written(schema: JsonSchema & Plain, isOptional: boolean): Plain {
  const { properties, required = [], items, oneOf } = schema;
  if (properties) {
    const each = Object.entries(properties).map(([name, property]) => {
      return [name, written(property as JsonSchema & Plain, !required.includes(name))] as const;
    });
    const type = isOptional ? ['object', 'null'] : 'object';
    return { ...schema, type, properties: Object.fromEntries(each) };
  }
  if (items) {
    const type = isOptional ? ['array', 'null'] : 'array';
    return { ...schema, type, items: written(items as JsonSchema & Plain, false) };
  }
  const empty = isOptional ? [{ type: 'null' }] : [];
  if (oneOf) {
    const forms = oneOf.map((form) => written(form as JsonSchema & Plain, false));
    return { ...schema, oneOf: [...forms, ...empty] };
  }
  if (schema.const !== undefined) return schema;
  const { title, description, default: standard, example, ...rest } = schema;
  const forms = [...formsOf(rest), ...empty];
  const words = {
    title,
    description,
    default: standard,
    examples: example === undefined ? undefined : [example],
  };
  return { ...defined(words), ...(forms.length === 1 ? forms[0] : { anyOf: forms }) };
}

/** The forms in which a value may be written. */
function formsOf(schema: JsonSchema & Plain): Plain[] {
  const { secret, known, path, type, anyOf, format, ...rest } = schema;
  if (secret) return [{ type: 'string', pattern: '^\\$\\{(env|file):[^{}]+\\}$' }];
  if (anyOf) {
    const forms = anyOf.flatMap((form) => formsOf(form as JsonSchema & Plain));
    return [...forms.filter((form) => form !== REFERENCE), REFERENCE];
  }
  if (known) return [{ enum: known }, { type: ['string', 'number'] }];
  if (schema.enum) return [{ enum: schema.enum.flatMap(spellings) }, REFERENCE];
  if (schema.const !== undefined) return [{ const: schema.const }];
  if (type !== 'string') return [{ type, ...rest }, REFERENCE];
  const { pattern } = schema;
  // To YAML, `007` is a number; to us, all is text.
  const mayBeNumber = pattern === undefined || NUMBERS.some((text) => new RegExp(pattern, 'u').test(text));
  const text = { type: mayBeNumber ? ['string', 'number'] : 'string', ...rest };
  if (pattern !== undefined) return [text, REFERENCE];
  // Where there is a pattern it is exact, and what a format means is up to the editor.
  return format === undefined ? [text] : [{ ...text, format }, REFERENCE];
}

const NUMBERS = ['0', '1.5', '640'];

/** `1.2` without quotes is a number to an editor. */
function spellings(value: unknown): unknown[] {
  return typeof value === 'string' && String(Number(value)) === value ? [value, Number(value)] : [value];
}

function defined(words: Plain): Plain {
  return Object.fromEntries(Object.entries(words).filter(([, word]) => word !== undefined));
}
