/**
 * The schema of the journal, one entry for each version. An entry is never edited: another version is a further
 * entry. Rows of `batch` are not rewritten by a migration; they carry a format number (K3).
 */
export const migrations: readonly string[] = [
  `
  -- writer: the version of the program that made this schema
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- A source runs once per tenant (R1); the checkpoint is its own JSON text.
  CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    tenant TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (source, tenant)
  ) STRICT;

  -- AUTOINCREMENT: an id never returns, also when the table has been empty (K3).
  -- ordinal: records in all batches without target that came before this one, ever: counts by subtraction.
  -- target: the only sink that is given this batch; NULL: every sink.
  -- bytes: of the text before compression. at: milliseconds since 1970.
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    format INTEGER NOT NULL,
    target TEXT,
    ordinal INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
  CREATE INDEX batch_at ON batch (at);

  -- Time first: inserts are near-appends, and pruning is one range (K4).
  -- fingerprints: of the bodies that came under the revision, with blanks between. batch, position: the last
  -- one that was put in the journal; NULL when none was.
  CREATE TABLE seen (
    source INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    id TEXT NOT NULL,
    fingerprints TEXT NOT NULL,
    batch INTEGER,
    position INTEGER,
    PRIMARY KEY (source, revision, id)
  ) STRICT, WITHOUT ROWID;

  -- The newest revision of each id (K7).
  CREATE TABLE alert_state (
    source INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (source, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX alert_state_revision ON alert_state (source, revision);

  -- One cursor for each sink (K5). orphaned: since when the sink is not in the config, milliseconds since 1970.
  CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    shape TEXT NOT NULL,
    orphaned INTEGER,
    hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- record: as in a batch, in the format named.
  CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    format INTEGER NOT NULL,
    record TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_letter_of ON dead_letter (kind, name);
  `,
  `
  -- Ids that a sink goes on with until they are resolved, whatever its match says of them (R8). as_of: the
  -- newest revision of the source when it last matched. The rows go with the row of the sink.
  CREATE TABLE followed (
    sink TEXT NOT NULL,
    source INTEGER NOT NULL,
    id TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    PRIMARY KEY (sink, source, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX followed_as_of ON followed (source, as_of);
  `,
  `
  -- Which products a source has shown, each one of a closed set. Times: milliseconds since 1970. records: told,
  -- each revision one. alerts: with a creation time that can be believed; first_created to longest_gap are of
  -- these. lateness: counts by bucket, a JSON list.
  CREATE TABLE coverage (
    source INTEGER NOT NULL,
    product TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    records INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    first_created INTEGER NOT NULL,
    last_created INTEGER NOT NULL,
    longest_gap INTEGER NOT NULL,
    lateness TEXT NOT NULL,
    PRIMARY KEY (source, product)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Running numbers of what a sink is told outside of the order: retry, replay, repair (S6). The row goes with that
  -- of the sink.
  CREATE TABLE apart (
    sink TEXT PRIMARY KEY,
    stream INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX batch_target ON batch (target) WHERE target IS NOT NULL;
  `,
  `
  -- How much of a source is in \`seen\` or \`alert_state\` (name), and since when none of it is missing (K6). Without
  -- a row: not counted yet.
  CREATE TABLE extent (
    name TEXT NOT NULL,
    source INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (name, source)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What each sink was given (K5): everything after (batch, position) up to and with (to_batch, to_position), under one
  -- stream, but for what \`withheld\` names. shape: hash of match, format and budget.
  CREATE TABLE given (
    sink TEXT NOT NULL,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    to_batch INTEGER NOT NULL,
    to_position INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    shape TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (sink, batch, position)
  ) STRICT, WITHOUT ROWID;

  -- The records of a batch that were not given: a bit for each, in hex, the first in the lowest. By stream, so that a
  -- sink may be renamed at no cost; by batch first, so that pruning is one range. at: of the batch.
  CREATE TABLE withheld (
    batch INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    filtered TEXT NOT NULL,
    refused TEXT NOT NULL,
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (batch, stream)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- How the alert stood at its newest revision (K7, D14), as JSON; NULL: not known.
  ALTER TABLE alert_state ADD COLUMN state TEXT;
  `,
  `
  -- required: 0 when the journal may let go of what waits for the sink; the hash of a row has it only then.
  ALTER TABLE sink ADD COLUMN required INTEGER NOT NULL DEFAULT 1;

  -- What sinks were knowingly not given (K6): after from_… up to and with to_…. records: at most. ranges: a JSON list of
  -- [source, tenant, first revision, last revision, records]. begun, grown: when records were let go of, first and last;
  -- ended: when the sink came on; milliseconds since 1970. The rows go with the row of the sink.
  CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    from_batch INTEGER NOT NULL,
    from_position INTEGER NOT NULL,
    to_batch INTEGER NOT NULL,
    to_position INTEGER NOT NULL,
    records INTEGER NOT NULL,
    ranges TEXT NOT NULL,
    reason TEXT NOT NULL,
    begun INTEGER NOT NULL,
    grown INTEGER NOT NULL,
    ended INTEGER,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX gap_of ON gap (sink);
  `,
  `
  -- Records that were journaled anew for one sink alone, because it was not given them: where they stand. The rows go
  -- with those of \`seen\`, but not while the sink has a gap, and with the row of the sink.
  CREATE TABLE repaired (
    source INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    id TEXT NOT NULL,
    sink TEXT NOT NULL,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (source, revision, id, sink)
  ) STRICT, WITHOUT ROWID;

  -- When a source was last compared by schedule; milliseconds since 1970.
  CREATE TABLE reconciled (
    source INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- By time first, as \`seen\`: by id alone, each record is a page of its own to be read, logged and written, and costs
  -- the more the more there are. born: whole minutes from the year 1601 to the creation; 0: not known, as of all rows that
  -- an older version made. In \`seen\`: that of the row of its id.
  ALTER TABLE seen ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE alert_state RENAME TO alert_state_by_id;
  DROP INDEX alert_state_revision;
  CREATE TABLE alert_state (
    source INTEGER NOT NULL,
    born INTEGER NOT NULL DEFAULT 0,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT,
    PRIMARY KEY (source, born, id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO alert_state SELECT source, 0, id, revision, state FROM alert_state_by_id ORDER BY source, id;
  DROP TABLE alert_state_by_id;
  CREATE INDEX alert_state_revision ON alert_state (source, revision);
  `,
];
