import { sep } from 'node:path';
import { IN_MEMORY } from '../lib/memory-directory.ts';
import { hasSecurityAlerts, type TenantSettings } from '../net/tenant.ts';
import { didYouMean } from './nearest.ts';
import type { Path } from './problem.ts';
import type { Config } from './schema.ts';

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
    return [stranger(['sources', index, 'tenant'], tenant, known)];
  });
  const repeated = ['tenants', 'sources', 'sinks'].flatMap((part) => repeatedNames(input, part));
  return [
    ...repeated,
    ...strangers,
    ...strangersOfSinks(input, known),
    ...strangersToSignIn(input, known),
    ...takenNames(input),
    ...cloudsWithoutAlerts(input),
    ...filesInTheWay(input),
  ];
}

/** Microsoft lets an app ask this often in a tenant (150 a minute), whoever asks for it. */
const APP_REQUESTS_PER_MINUTE = 150;

/** What entries may mean well together, and probably do not: told, and no reason not to start. */
export function doubts({ state, tenants }: Pick<Config, 'state' | 'tenants'>): Disagreement[] {
  return [...fleeting(state), ...sharedApps(tenants)];
}

/** A journal for measuring what a durable one costs. */
function fleeting({ directory }: Config['state']): Disagreement[] {
  if (directory !== IN_MEMORY) return [];
  const message = 'nothing that is kept outlives the process: what is not delivered by then is lost';
  return [
    { path: ['state', 'directory'], message, hint: 'for a relay that is to lose nothing name a folder' },
  ];
}

function sharedApps(tenants: Config['tenants']): Disagreement[] {
  return tenants.flatMap((tenant, index) => {
    const same = tenants.filter((other) => appOf(other) !== undefined && appOf(other) === appOf(tenant));
    const [first] = same;
    const sum = same.reduce((most, { requestsPerMinute }) => most + requestsPerMinute, 0);
    if (first === undefined || first === tenant || sum <= APP_REQUESTS_PER_MINUTE) return [];
    const share = Math.floor((APP_REQUESTS_PER_MINUTE - 10) / same.length);
    return [
      {
        path: ['tenants', index, 'credential', 'clientId'],
        message: `the same app in the same tenant as tenants[${tenants.indexOf(first)}]: Microsoft counts their requests together`,
        hint: `make them one, or set requestsPerMinute of each to ${share}`,
      },
    ];
  });
}

/** What Microsoft counts the requests of together, if that can be told. */
function appOf({ tenantId, graphEndpoint = '', credential }: TenantSettings): string | undefined {
  const clientId = 'clientId' in credential ? credential.clientId : undefined;
  return clientId && `${graphEndpoint} ${tenantId} ${clientId}`.toLowerCase();
}

/** Names that sinks say they had, and that are another one's: there would be two for one cursor (K8). */
function takenNames(input: unknown): Disagreement[] {
  const names = textsOf(input, 'sinks', 'name');
  const former = textsOf(input, 'sinks', 'formerly');
  return former.flatMap((name, index) => {
    if (name === undefined) return [];
    const path = ['sinks', index, 'formerly'];
    const hint = 'a sink takes over from one that is not in the config any more';
    const owner = names.indexOf(name);
    if (owner >= 0)
      return [{ path, message: `expected a name that no sink has now, and sinks[${owner}] has it`, hint }];
    const first = former.indexOf(name);
    if (first === index) return [];
    return [{ path, message: `sinks[${first}] takes over from it already`, hint: 'only one of them can' }];
  });
}

/** Files of sinks where another sink writes, or the journal: to open one of its files would undo its lock (K9). */
function filesInTheWay(input: unknown): Disagreement[] {
  const paths = textsOf(input, 'sinks', 'path');
  const state = propertyOf(propertyOf(input, 'state'), 'directory');
  return paths.flatMap((path, index) => {
    if (path === undefined) return [];
    const at = ['sinks', index, 'path'];
    const first = paths.indexOf(path);
    if (first !== index)
      return [{ path: at, message: `the same file as sinks[${first}]`, hint: 'give each its own' }];
    if (typeof state !== 'string' || !`${path}${sep}`.startsWith(`${state}${sep}`)) return [];
    return [
      { path: at, message: 'expected a file outside of state.directory', hint: 'that is the journal’s' },
    ];
  });
}

/** Tenants that sinks sign in to. Without tenants the config is one for trying out sinks. */
function strangersToSignIn(input: unknown, known: readonly string[]): Disagreement[] {
  return textsOf(input, 'sinks', 'tenant').flatMap((tenant, index) => {
    if (tenant === undefined || known.length === 0 || known.includes(tenant)) return [];
    return [stranger(['sinks', index, 'tenant'], tenant, known)];
  });
}

/** Tenants that sinks want the records of. Without tenants the config is one for trying out sinks. */
function strangersOfSinks(input: unknown, known: readonly string[]): Disagreement[] {
  const sinks = propertyOf(input, 'sinks');
  if (!Array.isArray(sinks) || known.length === 0) return [];
  return sinks.flatMap((sink: unknown, index) => {
    const wanted = propertyOf(propertyOf(sink, 'match'), 'tenant');
    if (!Array.isArray(wanted)) return [];
    return wanted.flatMap((tenant: unknown, place) => {
      if (typeof tenant !== 'string' || known.includes(tenant)) return [];
      return [stranger(['sinks', index, 'match', 'tenant', place], tenant, known)];
    });
  });
}

function stranger(path: Path, tenant: string, known: readonly string[]): Disagreement {
  const hint = didYouMean(tenant, known) ?? `tenants has ${known.join(', ') || 'none'}`;
  return { path, message: 'expected the name of a tenant', hint };
}

/** Tenants in a cloud whose Graph has nothing of what a source wants from it. */
function cloudsWithoutAlerts(input: unknown): Disagreement[] {
  const readers = textsOf(input, 'sources', 'tenant').filter((_, index) =>
    textsOf(input, 'sources', 'type')[index]?.startsWith('graph-'),
  );
  const names = textsOf(input, 'tenants', 'name');
  return textsOf(input, 'tenants', 'cloud').flatMap((cloud, index) => {
    if (cloud === undefined || hasSecurityAlerts(cloud) || !readers.includes(names[index])) return [];
    const message = 'expected a cloud whose Graph has security alerts, for the sources that read them';
    const hint = 'Microsoft does not offer them there: leave these sources out';
    return [{ path: ['tenants', index, 'cloud'], message, hint }];
  });
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
