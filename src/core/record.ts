import type { JsonText } from '../lib/json.ts';
import type { AlertState, Change } from './changes.ts';
import { msOfTicks } from './ticks.ts';

/** JSON as `lib/json.ts` reads it: an integer that a double cannot hold is a bigint. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json | undefined };

/** What a source tells about. Further kinds: incident, activity. */
export const recordKinds = ['alert'] as const;
/** The relay tells of itself: that it is there, and what has happened to it (`core/own-event.ts`). */
export type RecordKind = (typeof recordKinds)[number] | 'heartbeat' | 'relay';

/** Why a record is told (CEF `outcome`). The last five are outside the order per id. */
export const outcomes = ['new', 'update', 'unrevised', 'late', 'repair', 'retry', 'replay'] as const;
export type Outcome = (typeof outcomes)[number];

/** Told by somebody's wish, not because a source had it now: its events are numbered in a stream of their own (S6). */
export function isApart({ outcome }: { readonly outcome: Outcome }): boolean {
  return outcome === 'repair' || outcome === 'retry' || outcome === 'replay';
}

/** What the relay tells of itself passes every `match`, or is not for a sink at all (S7). */
export function isOwn({ kind }: { readonly kind: RecordKind }): boolean {
  return kind === 'heartbeat' || kind === 'relay';
}

/** A record as a source reads it, before the journal has said whether it is known. */
export interface SourceRecord {
  readonly kind: RecordKind;
  /** The source's own stable id. */
  readonly id: string;
  /** The source's own update time in ticks (`core/ticks.ts`). */
  readonly revision: bigint;
  /** When the thing told about was created, in ticks, which never changes; `undefined`: the source does not say. */
  readonly created: bigint | undefined;
  /** Time of the event: of its last update, else of its creation; milliseconds since 1970. */
  readonly timeMs: number;
  /** Severity in Graph's words (`high`, …); an open set. */
  readonly severity: string;
  /** The service that raised it, in Graph's words (`serviceSource`); an open set, empty when not known. */
  readonly product: string;
  /** The source's filter does not want it by itself; it is told all the same once its id has been (R8). */
  readonly unwanted?: true;
  /** Cheap fingerprint of the body: tells a changed body under the same revision (R1). */
  readonly fingerprint: number;
  /** How it stands, to tell later what has changed (D14). Left out by a source that does not say. */
  readonly state?: AlertState;
  /** The body as Microsoft sent it. */
  readonly json: JsonText;
}

/** When it was created, in ticks; of a source that does not say, its update is the best guess. */
export function createdOf({ created, revision }: Pick<SourceRecord, 'created' | 'revision'>): bigint {
  return created ?? revision;
}

/** One thing to be told to a SIEM. */
export interface RelayRecord {
  readonly kind: RecordKind;
  /** Configured name of the source. */
  readonly source: string;
  /** Configured name of the tenant. */
  readonly tenant: string;
  readonly id: string;
  readonly revision: bigint;
  /** 0, or n for the n-th body that came under one and the same revision (R1). */
  readonly unrevised: number;
  readonly outcome: Outcome;
  readonly timeMs: number;
  readonly severity: string;
  /** Created by the far end, milliseconds since 1970. */
  readonly createdMs: number;
  /** What has changed since the revision that was told before; left out when that is not known (K7). */
  readonly changed?: readonly Change[];
  readonly body: JsonObject;
}

/** A record that is told by somebody's wish, with its body as JSON text: that stays what Microsoft sent. */
export interface Retold extends Omit<RelayRecord, 'outcome' | 'body'> {
  readonly json: JsonText;
}

/** What a source reads, to be told by somebody's wish. */
export function retold({ source, tenant }: Pick<Retold, 'source' | 'tenant'>, record: SourceRecord): Retold {
  const { kind, id, revision, timeMs, severity, json } = record;
  const createdMs = msOfTicks(createdOf(record));
  return { kind, source, tenant, id, revision, unrevised: 0, timeMs, severity, createdMs, json };
}
