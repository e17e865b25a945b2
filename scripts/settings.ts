/**
 * The settings of the config as a list, from the JSON Schema that zod makes of `config/schema.ts`: what the reference
 * page, a commented example and an editor have to say about each comes from this one walk.
 */

/** What is needed of JSON Schema here; `title`, `secret`, `known`, `path` and `example` are set by `lib/fields.ts`. */
export interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly example?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly secret?: boolean;
  readonly known?: readonly string[];
  readonly path?: string;
}

export interface Setting {
  /** From the section on: `retry.max`. */
  readonly path: string;
  /** For people: `duration`, `lf or octet-counting`. */
  readonly type: string;
  /** `true`; or the path of the optional settings that cannot do without it. */
  readonly required: boolean | string;
  /** As it would stand in the file; `undefined` when there is none. */
  readonly default: unknown;
  readonly meaning: string;
}

/** Settings that stand together; `sections` are what one of them holds, in each of its types. */
export interface Section {
  readonly title: string;
  readonly meaning: string;
  readonly settings: readonly Setting[];
  readonly sections: readonly Section[];
}

/** One section for each part of the config. */
export function sectionsOf(config: JsonSchema): Section[] {
  return Object.entries(config.properties ?? {}).map(([part, schema]) => partOf(part, schema));
}

function partOf(part: string, schema: JsonSchema): Section {
  const meaning = schema.description ?? '';
  const types = (schema.items ?? schema).oneOf;
  if (!types) return { ...objectOf(part, schema.items ?? schema), meaning };
  const common = types.length > 1 ? sharedBy(types) : [];
  const shared = objectOf(
    part,
    pick(types[0], (name) => common.includes(name)),
  );
  const own = types.map((type) => {
    const rest = pick(type, (name) => !common.includes(name) && name !== 'type');
    return { ...objectOf(typeTitle('', type), rest), meaning: type.description ?? '' };
  });
  return { ...shared, meaning, sections: [...own, ...shared.sections] };
}

function objectOf(title: string, schema: JsonSchema): Section {
  const settings: Setting[] = [];
  const sections: Section[] = [];
  const walk = (
    { properties = {}, required = [] }: JsonSchema,
    prefix = '',
    wanted: true | string = true,
  ) => {
    for (const [name, property] of Object.entries(properties)) {
      const path = `${prefix}${name}`;
      const meaning = property.description ?? '';
      const isRequired = required.includes(name);
      // Settings that only hold others need no row when there is nothing to say about them together.
      if (!property.properties || meaning !== '') {
        const type = typeOf(property);
        settings.push({ path, type, required: isRequired && wanted, default: property.default, meaning });
      }
      const isThere = isRequired || property.default !== undefined;
      if (property.properties) walk(property, `${path}.`, isThere ? wanted : path);
      for (const type of property.oneOf ?? []) {
        const held = objectOf(
          typeTitle(path, type),
          pick(type, (key) => key !== 'type'),
        );
        sections.push({ ...held, meaning: type.description ?? '' });
      }
    }
  };
  walk(schema);
  return { title, meaning: schema.description ?? '', settings, sections };
}

/** Names of the settings that every one of several types has alike. */
export function sharedBy(types: readonly JsonSchema[]): string[] {
  const [first, ...others] = types.map(({ properties = {} }) => properties);
  return Object.entries(first ?? {}).flatMap(([name, schema]) => {
    const alike = others.every((other) => JSON.stringify(other[name]) === JSON.stringify(schema));
    return alike ? [name] : [];
  });
}

function pick(schema: JsonSchema = {}, isWanted: (name: string) => boolean): JsonSchema {
  const properties = Object.entries(schema.properties ?? {}).filter(([name]) => isWanted(name));
  return { ...schema, properties: Object.fromEntries(properties) };
}

const typeTitle = (path: string, { properties }: JsonSchema): string =>
  `${path === '' ? '' : `${path}, `}type: ${properties?.type?.const}`;

export function typeOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.secret) return 'secret';
  if (schema.path !== undefined) return 'path';
  if (schema.known) return either([...schema.known.map((value) => `\`${value}\``), 'another']);
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return either(schema.enum.map((value) => `\`${value}\``));
  if (schema.properties) return 'settings';
  if (schema.items) return `list: ${typeOf(schema.items)}`;
  if (schema.oneOf)
    return either(schema.oneOf.map(({ properties }) => `\`type: ${properties?.type?.const}\``));
  if (schema.anyOf) return either(schema.anyOf.map(typeOf));
  if (schema.type === 'integer') return `whole number${range(schema)}`;
  if (schema.type === 'number') return `number${range(schema)}`;
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.type === 'string') return (schema.format && formats[schema.format]) ?? 'text';
  throw new Error(`the reference has no word for ${JSON.stringify(schema)}`);
}

function range({ minimum, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema): string {
  if (maximum === Number.MAX_SAFE_INTEGER) return minimum === undefined ? '' : `, at least ${minimum}`;
  return minimum === undefined ? `, at most ${maximum}` : `, ${minimum} to ${maximum}`;
}

const formats: Readonly<Record<string, string>> = {
  uuid: 'GUID',
  uri: 'https address',
  'date-time': 'ISO time',
};

function either(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
