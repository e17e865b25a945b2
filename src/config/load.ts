import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readAtMost, whyUnreadable } from '../lib/files.ts';
import { Reread, type RereadOptions } from '../lib/reread.ts';
import { Secret } from '../lib/secret.ts';
import { disagreements, doubts } from './agreement.ts';
import { type BadCertificate, badCertificates } from './certificates.ts';
import { effective } from './effective.ts';
import { hintOf, messageOf, words } from './explain.ts';
import { prepare, type SecretFile } from './prepare.ts';
import { ConfigError, type Finding, type Path, type Position, type Problem, problemOf } from './problem.ts';
import { type Environment, readText } from './references.ts';
import { type Config, configSchema, type Part, parts } from './schema.ts';
import { type Node, parseYaml } from './yaml.ts';

/** Where a config file is looked for when none is named. */
export const configPlaces = ['config/relay.yaml', '/etc/defender-relay/relay.yaml'] as const;

export interface LoadOptions<Needs extends Part = Part> {
  /**
   * The parts that the caller uses; all when not given. The others may be missing, their secrets and files are not
   * asked for, and the type of the result leaves them out. What they say must be right all the same.
   */
  readonly needs?: readonly Needs[];
  /** For `${env:NAME}`. */
  readonly env?: Environment;
  /** Default: {@link configPlaces}. */
  readonly places?: readonly string[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** A certificate that has expired is a warning only: a relay has to start for its other tenants. */
  readonly mayExpire?: boolean;
  /** When secrets are read from their files again. */
  readonly reread?: RereadOptions;
}

export interface Loaded<Needs extends Part = Part> {
  /** The file, as it was named or found. */
  readonly path: string;
  readonly config: Pick<Config, Exclude<keyof Config, Part> | Needs>;
  /** What should be mended, yet keeps nothing from running. */
  readonly warnings: readonly Problem[];
  /** The whole config for people, also what is not needed: as in a file that leaves nothing out, without secrets. */
  effective(): Readonly<Record<string, unknown>>;
}

/**
 * Reads a config file: YAML, `${env:NAME}` and `${file:PATH}`, schema. All relative paths in it, `state.directory`
 * too, begin at the folder of the file, not at the working directory: a relay that is started from elsewhere must
 * find the journal that it had, or it would begin anew and lose what waits in the old one.
 *
 * @throws {ConfigError} with all problems at once
 */
export function loadConfig<const Needs extends Part = Part>(
  path?: string,
  options: LoadOptions<Needs> = {},
): Loaded<Needs> {
  const file = path ?? findConfig(options.places ?? configPlaces);
  const needs: readonly Part[] = options.needs ?? parts;
  const fail = (findings: readonly Finding[]) => new ConfigError(inOrder(findings, file));

  const { root, findings: formal } = parseYaml(readConfig(file));
  if (!root || (root.kind !== 'map' && formal.length > 0)) throw fail(formal);
  if (root.kind !== 'map') throw fail([noSettings(root)]);

  const surroundings = { env: options.env ?? process.env, folder: dirname(resolve(file)) };
  const isNeeded = ([part]: Path) => !parts.some((known) => known === part && !needs.includes(known));
  const prepared = prepare(configSchema, root, surroundings, isNeeded);
  const parsed = configSchema.safeParse(prepared.input, { error: words });

  const findings = [...formal, ...prepared.findings];
  const explain = (path: Path, message: string, hintFor: (text: string) => string | undefined) => {
    if (prepared.isSettled(path)) return;
    const { at, node } = locate(root, path);
    const text = node?.kind === 'text' && prepared.mayShow(path) ? node.text : undefined;
    findings.push({ path, at, message: `${message}${found(text)}`, hint: hintFor(text ?? '') });
  };
  for (const issue of parsed.error?.issues ?? [])
    explain(issue.path as Path, messageOf(issue), (text) => hintOf(issue, text));
  for (const { path, message, hint } of disagreements(prepared.input)) explain(path, message, () => hint);
  for (const part of needs)
    if (isNothing(root, part) && !prepared.isSettled([part]))
      findings.push({ path: [part], at: locate(root, [part]).at, message: 'missing', hint: missing[part] });
  const bad = needs.includes('tenants') ? badCertificates(prepared.input, (options.now ?? Date.now)()) : [];
  const certificates = bad
    .filter(({ path }) => !prepared.isSettled(path))
    .map((problem) => ({ ...problem, at: locate(root, problem.path).at }));
  const isTolerated = ({ isExpiry }: BadCertificate) => isExpiry && options.mayExpire === true;
  findings.push(...certificates.filter((problem) => !isTolerated(problem)));
  if (findings.length > 0) throw fail(findings);

  // Only what is needed: elsewhere a secret may not have been there to be read.
  const input = Object.entries(prepared.input as object).filter(([part]) => isNeeded([part]));
  const config = configSchema.parse(Object.fromEntries(input), { error: words });
  for (const secretFile of prepared.secretFiles) follow(config, secretFile, options.reread);
  const doubtful = doubts(config).map((doubt) => ({ ...doubt, at: locate(root, doubt.path).at }));
  const warnings = [...prepared.warnings, ...certificates.filter(isTolerated), ...doubtful];
  return {
    path: file,
    config,
    warnings: warnings.map((finding) => problemOf(file, finding)),
    effective: () => effective(configSchema, prepared.input, root),
  };
}

/** Keeps a secret what its file says, for as long as the config is used (S8). */
function follow(config: object, { path, file }: SecretFile, reread?: RereadOptions): void {
  const secret = path.reduce<unknown>(
    (part, key) => (part as Record<string, unknown> | undefined)?.[key],
    config,
  );
  if (!(secret instanceof Secret)) return;
  const read = (): string => {
    const found = readText(file);
    if ('failed' in found) throw new Error(found.failed);
    return found.text;
  };
  secret.follow(new Reread(secret.reveal(), read, reread), file);
}

function noSettings({ kind, at }: Node): Finding {
  if (kind === 'empty') return { path: [], at, message: 'nothing is set in this file', hint: beginning };
  const hint = 'a config begins with settings such as "sinks:"';
  return { path: [], at, message: `expected settings, found a ${kind}`, hint };
}

const beginning = 'config/relay.minimal.yaml is one to begin with';

const missing: Readonly<Record<Part, string>> = {
  tenants: 'say at least one directory (tenant) to sign in to',
  sources: 'say at least one thing to read, e.g. type: graph-alerts',
  sinks: 'say at least one place to send to, e.g. type: syslog',
};

function findConfig(places: readonly string[]): string {
  const file = places.find((place) => existsSync(place));
  if (file !== undefined) return file;
  const message = `there is no config file: looked for ${places.join(' and ')}`;
  throw new ConfigError([
    { file: places[0] ?? '', path: '', message, hint: `name one with --config; ${beginning}` },
  ]);
}

/** A config of a hundred tenants has a fifth of that; more would only keep the parser busy. */
const MAX_BYTES = 262_144;

function readConfig(file: string): string {
  const refuse = (message: string, hint?: string) =>
    new ConfigError([{ file, path: '', message, ...(hint !== undefined && { hint }) }]);
  let bytes: Buffer;
  try {
    bytes = readAtMost(file, MAX_BYTES + 1);
  } catch (error) {
    throw refuse(whyUnreadable(error));
  }
  if (bytes.length > MAX_BYTES) throw refuse(`larger than ${MAX_BYTES} bytes`, 'is it a config?');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('not UTF-8 text', 'save it as UTF-8');
  }
}

/** Nobody reads more at once, and mending one often mends others. */
const MAX_PROBLEMS = 100;

function inOrder(findings: readonly Finding[], file: string): Problem[] {
  const sorted = findings.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const problems = sorted.slice(0, MAX_PROBLEMS).map((finding) => problemOf(file, finding));
  const rest = findings.length - problems.length;
  return rest === 0 ? problems : [...problems, { file, path: '', message: `and ${rest} more` }];
}

/** Where a setting stands, or what would hold it. */
function locate(root: Node, path: Path): { at: Position; node: Node | undefined } {
  let node: Node = root;
  for (const key of path) {
    const next = childOf(node, key);
    if (!next) return { at: node.at, node: undefined };
    node = next;
  }
  return { at: node.at, node };
}

function childOf(node: Node, key: string | number): Node | undefined {
  if (node.kind === 'map') return node.entries.get(String(key))?.value;
  return node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined;
}

function isNothing(root: Node, part: Part): boolean {
  const node = childOf(root, part);
  return node === undefined || node.kind === 'empty' || (node.kind === 'list' && node.items.length === 0);
}

/** What stands there, for the end of a message; not what a reference stands for, it may be confidential. */
function found(text: string | undefined): string {
  if (text === undefined || text.includes('${')) return '';
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  // No character that a terminal would obey.
  return `, found ${JSON.stringify(short).replaceAll(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?')}`;
}
