import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import {
  lockDirectory,
  makeDatabase,
  openDatabase,
  pathsIn,
  prepareDirectory,
} from '../../src/journal/database.ts';
import { migrations } from '../../src/journal/migrations.ts';
import { aDirectory } from './harness.ts';

function make(...options: Parameters<typeof openDatabase>) {
  makeDatabase(...options);
  return openDatabase(...options);
}

describe('the files of a journal', () => {
  let directory: ReturnType<typeof aDirectory>;
  let state: string;
  beforeEach(() => {
    directory = aDirectory();
    state = directory.state;
    mkdirSync(state, { mode: 0o700 });
  });
  afterEach(() => directory[Symbol.dispose]());

  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it('are for their owner only', () => {
    rmSync(state, { recursive: true });
    prepareDirectory(join(state, 'deep'), (message) => expect.fail(message));
    const lock = lockDirectory(join(state, 'deep'));
    const { database } = make(join(state, 'deep'), '1.0.0');
    database.exec("INSERT INTO meta VALUES ('x', 'y')");
    expect(mode(join(state, 'deep'))).toBe('700');
    const { journal, wal, lock: lockFile } = pathsIn(join(state, 'deep'));
    for (const file of [journal, wal, `${journal}-shm`, lockFile]) expect(mode(file)).toBe('600');
    database.close();
    lock.close();
  });

  it('close an empty directory to others, and only tell about one that is shared', () => {
    const warnings: string[] = [];
    chmodSync(state, 0o755);
    prepareDirectory(state, (message) => warnings.push(message));
    expect(mode(state)).toBe('700');
    writeFileSync(join(state, 'notes.txt'), '');
    chmodSync(state, 0o755);
    prepareDirectory(state, (message) => warnings.push(message));
    expect(mode(state)).toBe('755');
    expect(warnings).toEqual([expect.stringContaining(`chmod 700 ${state}`)]);
  });

  it('K9: are not made on a network file system', () => {
    const onNfs = () =>
      prepareDirectory(
        state,
        (message) => expect.fail(message),
        () => ({ type: 0x6969 }),
      );
    expect(onNfs).toThrow(JournalError);
    expect(onNfs).toThrow(
      new RegExp(`${state} is on a network file system \\(NFS\\).*Set state\\.directory to`),
    );
    expect(readdirSync(state)).toEqual([]);
  });

  it('can be locked once, and again when the holder has gone', () => {
    const lock = lockDirectory(state);
    expect(() => lockDirectory(state)).toThrow(JournalError);
    expect(() => lockDirectory(state)).toThrow(new RegExp(`another defender-relay .*${state}.* Stop it`));
    lock.close();
    lockDirectory(state).close();
  });

  it('G22: are brought to the present schema from every older one', () => {
    for (let older = 1; older <= migrations.length; older++) {
      make(state, 'old', migrations.slice(0, older)).database.close();
      const steps = [...migrations, 'CREATE TABLE further (x) STRICT;'.replace('x', 'x TEXT')];
      const { database, schema } = openDatabase(state, 'new', steps);
      expect(schema).toBe(migrations.length + 1);
      expect(database.prepare('SELECT * FROM further').all()).toEqual([]);
      expect(database.prepare('SELECT value FROM meta').get()).toEqual({ value: 'new' });
      database.close();
      rmSync(pathsIn(state).journal);
    }
  });

  it('stay as they are when a migration fails', () => {
    make(state, 'old').database.close();
    expect(() => openDatabase(state, 'new', [...migrations, 'CREATE TABLE a (x); nonsense;'])).toThrow(
      /nonsense/,
    );
    const { database, schema } = openDatabase(state, 'old');
    expect(schema).toBe(migrations.length);
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'a'").get()).toBeUndefined();
    expect(database.prepare('SELECT value FROM meta').get()).toEqual({ value: 'old' });
    database.close();
  });

  it('are refused when a newer version wrote them, with its number', () => {
    make(state, '7.8.9', [...migrations, 'CREATE TABLE further (x);']).database.close();
    expect(() => openDatabase(state, '1.0.0')).toThrow(
      new RegExp(`written by defender-relay 7.8.9 \\(schema ${migrations.length + 1}\\).*this is 1.0.0`),
    );
  });

  it.each([
    ['is empty', (file: string) => truncateSync(file)],
    ['is of another program', (file: string) => copyFileSync(pathsIn(state).lock, file)],
    ['is not a database', (file: string) => writeFileSync(file, 'hello'.repeat(1_000))],
    ['has gone, and its log has not', (file: string) => renameSync(file, `${file}-wal`)],
  ])('G15: are never taken for a first start when the journal %s', (_, damage) => {
    const lock = new DatabaseSync(pathsIn(state).lock);
    lock.exec('CREATE TABLE other (x)');
    lock.close();
    make(state, '1.0.0').database.close();
    damage(pathsIn(state).journal);
    expect(() => make(state, '1.0.0')).toThrow();
    expect(() => make(state, '1.0.0')).toThrow();
  });

  it('G17: begin anew when the making of the journal was cut off', () => {
    writeFileSync(pathsIn(state).unfinished, 'half');
    expect(makeDatabase(state, '1.0.0')).toBe(true);
    openDatabase(state, '1.0.0').database.close();
    expect(makeDatabase(state, '1.0.0')).toBe(false);
  });
});
