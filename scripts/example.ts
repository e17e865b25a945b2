import { stringify } from 'yaml';
import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { type JsonSchema, sharedBy, typeOf } from './settings.ts';

/** Where it stands, from the root of the repository. */
export const EXAMPLE = 'config/relay.example.yaml';

const WIDTH = 110;

const head = `# yaml-language-server: $schema=./relay.schema.json
#
# Every setting, with its meaning, its type and its default. Made by "npm run docs" from the schemas in src.
#
# A line that begins with "#" and no blank behind it is a setting: take the "#" away to set it. What is not set has the
# value that stands here; what has none is not set. The shortest config that works is relay.minimal.yaml.`;

/** Where a setting stands in the file, and whether it counts there or is only shown. */
interface Place {
  readonly depth: number;
  readonly isLive: boolean;
}

/** A config with every setting there is: what is required is set, all else stands there as a comment. */
export function exampleConfig(): string {
  const config = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
  const parts = Object.entries(config.properties ?? {}).map(([name, part]) => {
    const lines = part.items ? listOf(name, part) : settingOf(name, part, false, { depth: 0, isLive: true });
    return lines.join('\n');
  });
  return `${[head, ...parts].join('\n\n')}\n`;
}

/** A part that is a list: its first entry counts, and one of each further type is shown. */
function listOf(name: string, { description = '', items = {} }: JsonSchema): string[] {
  const [first = items, ...others] = items.oneOf ?? [items];
  const shared = sharedBy(items.oneOf ?? []).filter((key) => key !== 'name' && key !== 'type');
  const above = `Besides it has ${shared.join(', ')}: see above.`;
  const shown = others.map((type) => [
    '',
    ...entry(called(type), (key) => !shared.includes(key), false),
    ...(shared.length > 0 ? told(above, 2) : []),
  ]);
  return [...told(description, 0), `${name}:`, ...entry(first, () => true, true), ...shown.flat()];
}

/** A further type, with a name of its own. */
function called(schema: JsonSchema): JsonSchema {
  const { name, ...rest } = schema.properties ?? {};
  return { ...schema, properties: { name: { ...name, example: rest.type?.const }, ...rest } };
}

/** The settings of an entry of a list, with a dash in front of the first. */
function entry(schema: JsonSchema, isWanted: (key: string) => boolean, isLive: boolean): string[] {
  let isFirst = true;
  return settingsOf(schema, isWanted, { depth: 2, isLive }).map((text) => {
    if (!isFirst) return text;
    if (/^ *# /.test(text)) return text.slice(2);
    isFirst = false;
    return text.replace(/^ {4}(#?)/, '  $1- ');
  });
}

function settingsOf(schema: JsonSchema, isWanted: (key: string) => boolean, place: Place): string[] {
  const { properties = {}, required = [], description } = schema;
  const { name, type, ...rest } = properties;
  // What has several forms comes last: they are long.
  const [others, unions] = [false, true].map((isUnion) =>
    Object.entries(rest).filter(([, { oneOf }]) => (oneOf !== undefined) === isUnion),
  );
  const named = Object.entries({ ...(name && { name }), ...(type && { type: { ...type, description } }) });
  return [...named, ...others!, ...unions!]
    .filter(([key]) => isWanted(key))
    .flatMap(([key, property]) => settingOf(key, property as JsonSchema, required.includes(key), place));
}

function settingOf(name: string, schema: JsonSchema, isRequired: boolean, place: Place): string[] {
  const { description = '', default: standard, properties, oneOf } = schema;
  const { depth } = place;
  if (properties || oneOf) {
    // What only holds others counts: to set one of them then takes one line.
    const isLive = place.isLive && (isRequired || standard !== undefined);
    const forms = (oneOf ?? [schema]).map((form, index) => {
      const isChosen = isLive && index === 0;
      return [
        ...(index === 0 ? told(description, depth) : ['']),
        line(name, '', depth, isChosen),
        ...settingsOf(form, () => true, { depth: depth + 1, isLive: isChosen }),
      ];
    });
    return forms.flat();
  }
  // One that is optional, and has an example, is one of two of which one is required.
  const isSet = isRequired || schema.example !== undefined;
  const value = isSet ? exampleOf(schema) : standard;
  const type = schema.const === undefined ? ` (${typeOf(schema)})` : '';
  return [
    ...told(`${description}${type}`, depth),
    line(name, value === undefined ? '' : stringify(value).trim(), depth, place.isLive && isSet),
  ];
}

function line(name: string, value: string, depth: number, isLive: boolean): string {
  return `${'  '.repeat(depth)}${isLive ? '' : '#'}${name}:${value === '' ? '' : ` ${value}`}`;
}

/** A comment of the width of a page. */
function told(text: string, depth: number): string[] {
  const front = `${'  '.repeat(depth)}#`;
  const words = text.replaceAll('`', '').split(' ').filter(Boolean);
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${front} ${word}`);
  }
  return lines;
}

/** A value that a setting may have which must have one. */
function exampleOf({ example, const: only, enum: values, anyOf, secret, format, path }: JsonSchema): unknown {
  if (example !== undefined) return example;
  if (anyOf?.[0]) return exampleOf(anyOf[0]);
  if (only !== undefined) return only;
  if (values) return values[0];
  if (secret) return `\${env:SECRET}`;
  if (format === 'uuid') return '00000000-0000-0000-0000-000000000000';
  if (format === 'uri') return 'https://example.com';
  return path === undefined ? 'example' : './example';
}
