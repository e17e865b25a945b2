import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { JournalError } from '../core/errors.ts';
import { APPLICATION_ID, checkLog, pathsIn } from './database.ts';
import { examine, type Findings, type Keep, lostText } from './examine.ts';
import { hasBrokenLog, openMended } from './mended.ts';
import { migrations } from './migrations.ts';
import { isRunning, openToLook } from './peek.ts';
import { checkStructure } from './structure.ts';

/** What was found in a journal, and what a repair would do. */
export interface Checked {
  /** A relay has it: its pages, and rows without a hash, were not looked at. */
  readonly running: boolean;
  readonly schema: number | undefined;
  readonly writer: string | undefined;
  readonly findings: Findings;
  /** Empty: nothing has to be done. */
  readonly plan: readonly string[];
}

/**
 * Goes through a journal as it lies there, changes nothing, and yields the share that is done.
 *
 * @throws {JournalError} it is of a newer version, which alone knows what is right
 */
export function* checkJournal(
  directory: string,
  { keep = {}, running = isRunning(directory) }: { readonly keep?: Keep; readonly running?: boolean } = {},
): Generator<number, Checked> {
  const before = problemOfFiles(directory, running);
  const { database, unopened, close } = openAnyhow(directory, running);
  try {
    const header = headerOf(database);
    if (header.schema !== undefined && header.schema > migrations.length) throw newer(directory, header);
    const findings = yield* examine(database, { beside: running }, keep);
    const isOurs = header.id === APPLICATION_ID;
    for (const what of [
      before,
      unopened,
      isOurs ? undefined : 'its header is not that of a journal of defender-relay',
    ])
      if (what !== undefined) findings.problems.unshift({ what, repair: 'what can be read is copied' });
    return {
      running,
      schema: header.schema,
      writer: header.writer,
      findings,
      plan: planFor(directory, findings),
    };
  } finally {
    close();
  }
}

/** What is wrong before anything is read. */
function problemOfFiles(directory: string, running: boolean): string | undefined {
  const { journal, wal } = pathsIn(directory);
  if (!existsSync(journal)) return `${journal} is missing`;
  if (statSync(journal).size === 0) return `${journal} is empty`;
  try {
    checkLog(directory);
  } catch (error) {
    if (!(error instanceof JournalError)) return running ? undefined : unopened(error);
    return (
      `its write-ahead log ${wal} is missing, and it was not closed when it was used last: what is there is older ` +
      'than what was. What was read since is read again, and what was sent since is sent again'
    );
  }
  if (running) return undefined;
  return hasBrokenLog(directory)
    ? `its write-ahead log ${wal} is not as it was written: some of its last changes may be missing`
    : problemOfOpening(directory);
}

/** What a relay would not get over, and those who read on in spite of much may not notice. */
function problemOfOpening(directory: string): string | undefined {
  try {
    const database = openToLook(directory, { running: false });
    try {
      const schema = database.prepare('PRAGMA user_version').get()?.user_version;
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
      if (schema === migrations.length)
        checkStructure(database, (what) => {
          throw new Error(what);
        });
    } finally {
      database.close();
    }
    return undefined;
  } catch (error) {
    return unopened(error);
  }
}

const unopened = (error: unknown): string => `it cannot be opened as it is: ${(error as Error).message}`;

interface OpenedAnyhow {
  readonly database: DatabaseSync;
  readonly unopened?: string;
  close(): void;
}

/** What cannot be opened is like an empty one. */
function openAnyhow(directory: string, running: boolean): OpenedAnyhow {
  if (!existsSync(pathsIn(directory).journal)) return nothing();
  try {
    const mended = running ? undefined : openMended(directory);
    if (mended) return mended;
    // Else nothing at all is read from a file that is shorter than it says.
    const database = openToLook(directory, { defensive: false, running });
    database.exec('PRAGMA writable_schema = ON');
    return { database, close: () => database.close() };
  } catch (error) {
    return nothing(`it cannot be opened: ${(error as Error).message}`);
  }
}

function nothing(unopened?: string): OpenedAnyhow {
  const database = new DatabaseSync(':memory:');
  return { database, ...(unopened !== undefined && { unopened }), close: () => database.close() };
}

interface Header {
  readonly id?: number;
  readonly schema?: number;
  readonly writer?: string;
}

function headerOf(database: DatabaseSync): Header {
  try {
    const pragma = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const header = { id: pragma('application_id'), schema: pragma('user_version') };
    if (header.schema === 0) return header;
    return {
      ...header,
      writer: String(database.prepare("SELECT value FROM meta WHERE key = 'writer'").get()?.value),
    };
  } catch {
    return {};
  }
}

function newer(directory: string, { schema, writer }: Header): JournalError {
  return new JournalError(
    `the journal in ${directory} was written by defender-relay ${writer ?? 'of a newer version'} (schema ${schema}), ` +
      `and this one knows schemas up to ${migrations.length}: check it with that version`,
  );
}

function planFor(directory: string, findings: Findings): string[] {
  const { problems, lost } = findings;
  if (problems.length === 0) return [];
  const { journal } = pathsIn(directory);
  return [
    `keep ${journal} and its log as they are, in a folder ${directory}/broken-TIME`,
    'make a new journal of all that is whole; the running numbers of all sinks begin anew, in new streams',
    ...lost.map((each) => `${lostText(each)}. ${whatNow(each.owed)}`),
    ...new Set(
      problems
        .filter(({ what }) => !what.startsWith('batch '))
        .map(({ what, repair }) => `${what}: ${repair}`),
    ),
  ];
}

function whatNow(owed: boolean): string {
  return owed
    ? 'They are forgotten, so that those which a source reads again (overlap, sweep) are told; ' +
        'compare the rest with the alerts of that time in the Defender portal'
    : 'Nothing is missing in any SIEM';
}
