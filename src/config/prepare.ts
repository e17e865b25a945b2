import { resolve } from 'node:path';
import { z } from 'zod';
import { KNOWN, PATH, PLACE_OR_MEMORY, SECRET } from '../lib/fields.ts';
import { IN_MEMORY } from '../lib/memory-directory.ts';
import { didYouMean, nearest } from './nearest.ts';
import { type Finding, isName, listed, type Path, type Position } from './problem.ts';
import {
  type Failure,
  FORMS,
  isWorldWritable,
  resolveReferences,
  type Surroundings,
  soleReference,
  unreadable,
} from './references.ts';
import type { Node } from './yaml.ts';

type Schema = z.core.$ZodType;

/** What the schema is given, and what was wrong before it came to that. */
export interface Prepared {
  readonly input: unknown;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Secrets that come from files. */
  readonly secretFiles: readonly SecretFile[];
  /** All is said about the setting at this path and below it. */
  isSettled(path: Path): boolean;
  /** Whether a message may repeat the text of the setting at this path. */
  mayShow(path: Path): boolean;
}

export interface SecretFile {
  /** Of the secret in the config. */
  readonly path: Path;
  /** Absolute. */
  readonly file: string;
}

/**
 * Goes down the tree of the file and the schema side by side and makes the schema's input: references are
 * resolved, paths made absolute, texts turned into the numbers that the schema wants. On the way it finds what
 * only the two together can tell: unknown and missing keys, unknown types, literal secrets.
 *
 * A reference that leads nowhere is a finding only where `isNeeded(path)`.
 */
export function prepare(
  schema: z.ZodObject,
  root: Node,
  surroundings: Surroundings,
  isNeeded: (path: Path) => boolean,
): Prepared {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const secretFiles: SecretFile[] = [];
  const settled = new Set<string>();
  const confidential = new Set<string>();

  const isSettled = (path: Path) =>
    path.some((_, depth) => settled.has(JSON.stringify(path.slice(0, depth + 1))));
  const settle = (path: Path, at: Position, message: string, hint?: string): undefined => {
    findings.push({ path, at, message, hint });
    settled.add(JSON.stringify(path));
  };
  const settleFailure = (path: Path, at: Position, { failed, hint }: Failure): undefined => {
    settled.add(JSON.stringify(path));
    if (isNeeded(path)) findings.push({ path, at, message: failed, hint });
  };

  const walk = (outer: Schema, node: Node, path: Path): unknown => {
    if (node.kind === 'refused') {
      settled.add(JSON.stringify(path));
      return undefined;
    }
    const { schema, meta, initial } = unwrap(outer);
    if (node.kind === 'empty')
      return initial === undefined ? undefined : walk(outer, { ...initial, at: node.at }, path);
    if (schema instanceof z.ZodObject) return walkObject(schema, node, path);
    if (schema instanceof z.ZodDiscriminatedUnion) return walkUnion(schema, node, path);
    if (schema instanceof z.ZodArray) {
      if (node.kind !== 'list') return misfit(node);
      return node.items.map((item, index) => walk(schema.element, item, [...path, index]));
    }
    if (!isScalar(schema)) throw new Error(`prepare() does not know ${schema.constructor.name}`);
    if (node.kind !== 'text') return misfit(node);
    return walkText(schema, meta, node, path);
  };

  const walkObject = (schema: z.ZodObject, node: Node, path: Path): unknown => {
    if (node.kind !== 'map') return misfit(node);
    const fields = Object.entries(schema.shape);
    // Where a secret belongs, one may stand in the wrong line.
    if (fields.some(([, field]) => unwrap(field).meta[SECRET] === true))
      confidential.add(JSON.stringify(path));

    const names = fields.map(([name]) => name);
    for (const [key, { keyAt }] of node.entries) {
      if (Object.hasOwn(schema.shape, key)) continue;
      const message = isName(key) ? `unknown key ${JSON.stringify(key)}` : 'unknown key';
      const home = fields.find(([, field]) => hasKey(field, key))?.[0];
      const belongs = home === undefined ? `there is ${names.join(', ')}` : `it belongs in ${home}`;
      settle([...path, key], keyAt, message, didYouMean(key, names) ?? belongs);
      // That the meant key is missing would be the same slip told twice.
      const meant = nearest(key, names);
      for (const name of names)
        if (meant !== undefined && isSameThing(name, meant) && !node.entries.has(name))
          settled.add(JSON.stringify([...path, name]));
    }
    const input: Record<string, unknown> = {};
    for (const [key, field] of fields) {
      const value: Node = node.entries.get(key)?.value ?? { kind: 'empty', at: node.at };
      const fieldPath = [...path, key];
      if (value.kind === 'empty' && field._zod.optin === undefined) {
        if (!isSettled(fieldPath)) settle(fieldPath, value.at, 'missing', describe(field));
      } else {
        input[key] = walk(field, value, fieldPath);
      }
    }
    return input;
  };

  const walkUnion = (schema: z.ZodDiscriminatedUnion, node: Node, path: Path): unknown => {
    if (node.kind !== 'map') return misfit(node);
    const { discriminator } = schema.def;
    const options = optionsOf(schema);
    const types = [...options.keys()];
    const expected = `expected ${listed(types)}`;
    const given = node.entries.get(discriminator)?.value;
    const typePath = [...path, discriminator];
    // Without its type nothing more can be said about the entry.
    settled.add(JSON.stringify(path));
    if (given === undefined || given.kind === 'empty') return settle(typePath, node.at, 'missing', expected);
    if (given.kind === 'refused') return undefined;
    if (given.kind !== 'text') return settle(typePath, given.at, expected);
    const option = options.get(given.text);
    if (!option) {
      const found = isName(given.text) ? `, found ${JSON.stringify(given.text)}` : '';
      return settle(typePath, given.at, `${expected}${found}`, didYouMean(given.text, types));
    }
    settled.delete(JSON.stringify(path));
    return walkObject(option, node, path);
  };

  const walkText = (schema: Schema, meta: Meta, node: Node & { kind: 'text' }, path: Path): unknown => {
    const isSecret = meta[SECRET] === true;
    const sole = isSecret ? soleReference(node.text, surroundings) : undefined;
    if (isSecret && !sole)
      return settle(
        path,
        node.at,
        'a secret must not stand in the config',
        `write ${FORMS}, and nothing else`,
      );
    const resolved = resolveReferences(node.text, surroundings);
    if ('failed' in resolved) return settleFailure(path, node.at, resolved);
    if (sole?.file !== undefined) secretFiles.push({ path, file: sole.file });
    if (sole?.file !== undefined && isWorldWritable(sole.file))
      warnings.push({
        path,
        at: node.at,
        message: `every user of this machine can change ${sole.file}`,
        hint: 'take that away with chmod o-w',
      });
    const known = meta[KNOWN] as readonly string[] | undefined;
    if (known && !known.includes(resolved.text))
      warnings.push({
        path,
        at: node.at,
        message: `${isName(resolved.text) ? JSON.stringify(resolved.text) : 'this'} is not a value that is known`,
        hint: didYouMean(resolved.text, known) ?? `known are ${known.join(', ')}`,
      });
    if (meta[PATH] === undefined) return coerce(schema, resolved.text);
    if (meta[PATH] === PLACE_OR_MEMORY && resolved.text === IN_MEMORY) return IN_MEMORY;
    const file = resolve(surroundings.folder, resolved.text);
    const failure = meta[PATH] === 'file' ? unreadable(file) : undefined;
    return failure ? settleFailure(path, node.at, failure) : file;
  };

  const input = walk(schema, root, []);
  return {
    input,
    findings,
    warnings,
    secretFiles,
    isSettled,
    mayShow: (path) => !confidential.has(JSON.stringify(path.slice(0, -1))),
  };
}

/** One or several of it: `host`, `hosts`. Where one of the two is given the other is not missing. */
function isSameThing(name: string, other: string): boolean {
  return name === other || `${name}s` === other || name === `${other}s`;
}

type Meta = Readonly<Record<string, unknown>>;

export interface Unwrapped {
  readonly schema: Schema;
  readonly meta: Meta;
  /** What is read in the place of a missing value. */
  readonly initial: Node | undefined;
  /** What a missing value is, without being read. */
  readonly standard: unknown;
}

/** The schema inside its wrappers, what they say about it, and what stands for a missing value. */
export function unwrap(outer: Schema): Unwrapped {
  let schema = outer;
  let meta: Meta = {};
  let initial: Node | undefined;
  let standard: unknown;
  while (true) {
    meta = { ...z.globalRegistry.get(schema), ...meta };
    if (schema instanceof z.ZodPrefault) initial ??= nodeOf(schema.def.defaultValue);
    if (schema instanceof z.ZodDefault) standard ??= schema.def.defaultValue;
    if (schema instanceof z.ZodPipe) schema = schema.def.in;
    else if (
      schema instanceof z.ZodPrefault ||
      schema instanceof z.ZodDefault ||
      schema instanceof z.ZodOptional
    )
      schema = schema.def.innerType;
    else return { schema, meta, initial, standard };
  }
}

const nowhere: Position = { line: 1, column: 1 };

/** A default as if it stood in the file: the paths in it are resolved like any other. */
function nodeOf(value: unknown): Node {
  if (typeof value !== 'object' || value === null) return { kind: 'text', at: nowhere, text: String(value) };
  const entries = Object.entries(value).map(
    ([key, item]) => [key, { keyAt: nowhere, value: nodeOf(item) }] as const,
  );
  return { kind: 'map', at: nowhere, entries: new Map(entries) };
}

/** Something of the same kind, for the schema to say what it expected instead. */
function misfit(node: Node): unknown {
  if (node.kind === 'list') return [];
  return node.kind === 'map' ? {} : '';
}

/** A schema whose input is a text, a number or a boolean. */
function isScalar(schema: Schema): boolean {
  if (schema instanceof z.ZodUnion)
    return schema.def.options.every((option) => isScalar(unwrap(option).schema));
  return ['string', 'number', 'boolean', 'enum', 'literal'].includes(schema._zod.def.type);
}

function coerce(schema: Schema, text: string): unknown {
  if (schema instanceof z.ZodNumber && /^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (schema instanceof z.ZodBoolean && /^(true|false)$/.test(text)) return text === 'true';
  return text;
}

function hasKey(schema: Schema, key: string): boolean {
  const inner = unwrap(schema).schema;
  return inner instanceof z.ZodObject && Object.hasOwn(inner.shape, key);
}

/** The forms of a union, by what tells them apart. */
export function optionsOf({ def }: z.ZodDiscriminatedUnion): Map<string, z.ZodObject> {
  return new Map(
    def.options.flatMap((option) =>
      option instanceof z.ZodObject ? [[literalOf(option.shape[def.discriminator]), option] as const] : [],
    ),
  );
}

function literalOf(schema: Schema | undefined): string {
  return schema instanceof z.ZodLiteral ? String([...schema.values][0]) : '';
}

function describe(schema: Schema): string | undefined {
  const { description } = unwrap(schema).meta;
  return typeof description === 'string' ? lowerFirst(description.replace(/\.$/, '')) : undefined;
}

/** "Port of the receiver" goes on a sentence as "port of the receiver"; "GUID of the tenant" stays. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
