import { unavailableReasons } from './errors.ts';
import { refusalReasons } from './sink.ts';
import { unreadReasons } from './source.ts';

/*
 * What the relay tells the SIEM of itself (D16): a closed table. An id is for ever, and so is what its fields mean:
 * rules are built on them. What comes from outside stands in `detail` alone; all else is ours or the config's.
 */

/** Why something happened, in a word; a closed set. */
export const ownReasons = [
  ...unavailableReasons,
  ...refusalReasons,
  ...unreadReasons,
  'bug',
  'silent',
  'first-start',
  'clean-end',
  'sudden-end',
  'full',
  'disk',
  'missing',
  'let-go',
] as const;
export type OwnReason = (typeof ownReasons)[number];

/** What an event can say besides what it is. */
export interface OwnFields {
  /** Configured names. */
  readonly source: string;
  readonly tenant: string;
  readonly sink: string;
  /** A `serviceSource` that is known, or `other`. */
  readonly product: string;
  readonly reason: OwnReason;
  /** In the words of whoever said it; without secrets. Shortened here. */
  readonly detail: string;
  readonly version: string;
  readonly count: number;
  readonly percent: number;
  /** Times: milliseconds since 1970. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly lastSeenMs: number;
  readonly countedSinceMs: number;
  readonly expiresMs: number;
  readonly usualSeconds: number;
  readonly longestSeconds: number;
  readonly latenessSeconds: number;
  /** Events of this kind that were not told before it, because there were too many. */
  readonly untold: number;
}
export type OwnField = keyof OwnFields;

interface OwnKind {
  readonly name: string;
  /** In Graph's words; formats make of it what they make of that of an alert. */
  readonly severity: 'informational' | 'low' | 'medium' | 'high';
  /** What it is about: begins the record's id, so that of one thing the last that was told is how it stands. */
  readonly about: string;
  /** … and these fields say which of them. */
  readonly of: readonly OwnField[];
  readonly fields: readonly OwnField[];
  /** Those that may be left out. */
  readonly maybe: readonly OwnField[];
  /** What it means, and what is to be done: for the documentation. */
  readonly means: string;
}

/** The fixed ids. One is never taken away, never renamed, and never given another meaning. */
export const ownEvents = {
  'relay-started': {
    name: 'Relay started',
    severity: 'informational',
    about: 'relay',
    of: [],
    fields: ['version', 'reason', 'count'],
    maybe: [],
    means:
      'The relay runs. `reason` is what it found: `first-start` (no state: what lies before `startFrom` is not told), `clean-end`, ' +
      'or `sudden-end` (it was killed; some events may come twice). `count` is how many records waited. Whatever was ' +
      'failing, paused or silent before is over by it, or is told again.',
  },
  'config-reloaded': {
    name: 'Configuration reloaded',
    severity: 'informational',
    about: 'config',
    of: [],
    fields: ['count'],
    maybe: [],
    means:
      'Another configuration is in use. `count` is how many sources and sinks began, began anew or ended.',
  },
  'config-refused': {
    name: 'Configuration refused',
    severity: 'medium',
    about: 'config',
    of: [],
    fields: ['detail'],
    maybe: [],
    means:
      'The file was changed, and the relay goes on with what it had. Run `validate`, mend the file, reload.',
  },
  'source-failing': {
    name: 'Source failing',
    severity: 'high',
    about: 'source',
    of: ['source'],
    fields: ['source', 'tenant', 'reason', 'sinceMs'],
    maybe: ['detail'],
    means:
      'Nothing was read for five of its intervals, as `/readyz` says it: no alerts come from it. `since` is the last good ' +
      'answer. See `status`.',
  },
  'source-healed': {
    name: 'Source healed',
    severity: 'informational',
    about: 'source',
    of: ['source'],
    fields: ['source', 'tenant', 'sinceMs'],
    maybe: [],
    means: 'It is read again, and what came meanwhile follows. `since` is that of the failure.',
  },
  'sink-failing': {
    name: 'Sink failing',
    severity: 'high',
    about: 'sink',
    of: ['sink'],
    fields: ['sink', 'reason', 'sinceMs', 'count'],
    maybe: ['detail'],
    means:
      'It has taken nothing for a minute, though there was something to take, or has no connection. `count` is how many ' +
      'records wait for it. The other sinks tell it at once, it itself when it is back.',
  },
  'sink-healed': {
    name: 'Sink healed',
    severity: 'informational',
    about: 'sink',
    of: ['sink'],
    fields: ['sink', 'sinceMs', 'count'],
    maybe: [],
    means: 'It takes records again. `count` is how many still wait for it.',
  },
  'dead-letters': {
    name: 'Dead letters',
    severity: 'medium',
    about: 'dead-letters',
    of: ['source', 'sink'],
    fields: ['reason', 'count'],
    maybe: ['source', 'tenant', 'sink'],
    means:
      'So many records were refused by a sink for good, or times could not be read from a source, since this was last told. See ' +
      '`dead-letters list`.',
  },
  'queue-paused': {
    name: 'Queue paused',
    severity: 'high',
    about: 'journal',
    of: [],
    fields: ['reason'],
    maybe: ['sink', 'percent', 'detail'],
    means:
      'All sources wait: the journal is `full` of what `sink` above all has not taken, or its `disk` is. Graph keeps the alerts ' +
      'meanwhile.',
  },
  'queue-resumed': {
    name: 'Queue going on',
    severity: 'informational',
    about: 'journal',
    of: [],
    fields: ['sinceMs'],
    maybe: [],
    means: 'The sources read again. `since` is when they were paused.',
  },
  'journal-filling': {
    name: 'Journal filling',
    severity: 'medium',
    about: 'backlog',
    of: ['sink'],
    fields: ['sink', 'percent'],
    maybe: ['untilMs'],
    means:
      'What waits for this sink has come to 50, or to 80, per cent of the journal. `until` is when it will be full, if it goes ' +
      'on like that.',
  },
  'gap-found': {
    name: 'Gap found',
    severity: 'high',
    about: 'gap',
    of: ['sink', 'product'],
    fields: ['sink', 'reason', 'count'],
    maybe: ['source', 'tenant', 'product', 'sinceMs', 'untilMs'],
    means:
      'A sink was not given so many records of the time from `since` to `until`: they are `missing`, as reconcile has found, or ' +
      'were `let-go` because the journal was full and the sink is not required.',
  },
  'gap-repaired': {
    name: 'Gap repaired',
    severity: 'informational',
    about: 'gap',
    of: ['sink', 'product'],
    fields: ['sink', 'count'],
    maybe: ['source', 'tenant', 'product', 'sinceMs', 'untilMs'],
    means: 'So many records of a gap were journaled for the sink; they come marked `repair`.',
  },
  'credential-expiring': {
    name: 'Credential expiring',
    severity: 'medium',
    about: 'credential',
    of: [],
    fields: ['tenant', 'expiresMs'],
    maybe: [],
    means: 'The secret or certificate of a tenant expires within 30 days. Told once a day.',
  },
  'credential-expired': {
    name: 'Credential expired',
    severity: 'high',
    about: 'credential',
    of: [],
    fields: ['tenant', 'expiresMs'],
    maybe: [],
    means: 'Nothing can be read from that tenant without a new one. Told once a day.',
  },
  'product-silent': {
    name: 'Product silent',
    severity: 'medium',
    about: 'product',
    of: ['source', 'product'],
    fields: ['source', 'tenant', 'product', 'lastSeenMs', 'usualSeconds', 'longestSeconds'],
    maybe: [],
    means:
      'Nothing new came from a Defender product for three times as long as ever before, and a day at least: is it still ' +
      'licensed, connected, and are its sensors alive?',
  },
  'product-speaking': {
    name: 'Product speaking again',
    severity: 'informational',
    about: 'product',
    of: ['source', 'product'],
    fields: ['source', 'tenant', 'product', 'lastSeenMs'],
    maybe: [],
    means: 'Something new came from a product that was told to be silent.',
  },
  'product-coverage': {
    name: 'Product coverage',
    severity: 'informational',
    about: 'coverage',
    of: ['source', 'product'],
    fields: ['source', 'tenant', 'product', 'sinceMs', 'lastSeenMs', 'count', 'countedSinceMs'],
    maybe: ['usualSeconds', 'longestSeconds', 'latenessSeconds'],
    means:
      'Once a day, for each Defender product that was ever seen: since when and when last, how many records were told since ' +
      '`countedSince` (the last time this was told), the mean and the longest time between two alerts, and the time from ' +
      'creation to first sight that 95 % of them stay within.',
  },
} as const satisfies Record<string, OwnKind>;

export type OwnEventId = keyof typeof ownEvents;
export const ownEventIds = Object.keys(ownEvents) as readonly OwnEventId[];

type Table = typeof ownEvents;

/** Something to be told of the relay itself. */
export type OwnEvent = {
  [Id in OwnEventId]: { readonly kind: Id } & Pick<OwnFields, Table[Id]['fields'][number]> &
    Partial<Pick<OwnFields, Table[Id]['maybe'][number]>>;
}[OwnEventId];
