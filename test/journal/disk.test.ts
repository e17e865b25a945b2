import { execFileSync } from 'node:child_process';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { JournalError, JournalUnavailableError } from '../../src/core/errors.ts';
import { BALLAST_BYTES } from '../../src/journal/ballast.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { whyMissing } from '../peers/missing.ts';
import { testFolder } from '../support/folder.ts';
import { aSourceRecord } from '../support/records.ts';
import { aLog, aPage, MIB, open, takeAll } from './harness.ts';
import { surviveAll } from './surviving.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const never = new AbortController().signal;

describe.skipIf(whyMissing('file systems of their own'))('on a small disk', () => {
  /** A folder on a disk of so many MiB. */
  function aDisk(mebibytes: number): string {
    const folder = testFolder();
    const options = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder];
    execFileSync('mount', options, { stdio: 'pipe' });
    onTestFinished(() => void execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' }));
    return folder;
  }
  const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString('base64');
  const pageOf = (page: number) =>
    aPage([aSourceRecord({ id: `p${page}`, noise: noise() }, { revision: BigInt(page) })], {
      checkpoint: String(page),
    });

  it('Q9, K6: a disk that fills up pauses what reads, and not what sends; with room again all goes on by itself', async () => {
    const folder = aDisk(16);
    const state = join(folder, 'state');
    const log = aLog();
    const journal = await open(state, { maxBytes: 64 * MIB, log });
    onTestFinished(() => journal.close());
    let { cursor } = (await journal.register([siem])).get('siem')!;
    await journal.append(pageOf(1));
    expect(statSync(pathsIn(state).ballast).size).toBe(BALLAST_BYTES);
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(10 * MIB));

    let page = 1;
    const appends = async () => {
      for (;;) {
        await journal.append(pageOf(page + 1));
        page++;
      }
    };
    await expect(appends()).rejects.toThrow(JournalUnavailableError);
    expect(page).toBeGreaterThan(2);
    expect(journal.fault).toMatchObject({
      usable: true,
      message: expect.stringMatching(/disk of .* is full/),
    });
    await expect(journal.append(pageOf(page + 1))).rejects.toThrow(/Make room; all sources pause/);

    const delivered: string[] = [];
    while (delivered.length < page) {
      const { records, ends } = await journal.take(cursor, 1, never);
      delivered.push(...records.map(({ id }) => id));
      cursor = ends.at(-1)!;
      journal.advance({ sink: 'siem', cursor, sequence: delivered.length, refused: [] });
      await journal.flush();
    }
    expect(delivered).toEqual(Array.from({ length: page }, (_, index) => `p${index + 1}`));
    expect(await journal.checkpoint(aPage([]))).toBe(String(page));
    expect((await journal.stats()).pending).toBe(0);

    rmSync(filler);
    await journal.room(AbortSignal.timeout(15_000));
    expect(journal.fault).toBeUndefined();
    await journal.append(pageOf(page + 1));
    expect((await journal.take(cursor, 9, never)).records.map(({ id }) => id)).toEqual([`p${page + 1}`]);
    expect(log.lines).toEqual([
      expect.stringMatching(/^the disk of .* is full/),
      expect.stringMatching(/^the disk of the journal is well again, after/),
    ]);
  }, 30_000);

  it('Q9: a disk that was full at the last end is no reason not to start', async () => {
    const folder = aDisk(16);
    const state = join(folder, 'state');
    const first = await open(state);
    await first.register([siem]);
    await first.append(pageOf(1));
    await first.close();
    const filler = join(folder, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(17 * MIB))).toThrow(/ENOSPC/);
    const log = aLog();
    const journal = await open(state, { log });
    onTestFinished(() => journal.close());
    expect((await takeAll(journal)).map(({ id }) => id)).toEqual(['p1']);
    await journal.register([siem]);
    rmSync(filler);
    await journal.room(AbortSignal.timeout(15_000));
    await journal.append(pageOf(2));
    expect(log.lines.at(-1)).toMatch(/well again/);
  }, 30_000);

  it('a disk that is too small for anything is told, and nothing is left half made', async () => {
    const folder = aDisk(16);
    const filler = join(folder, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(17 * MIB))).toThrow(/ENOSPC/);
    const state = join(folder, 'state');
    await expect(open(state)).rejects.toThrow(/(full|ENOSPC).*: make room, and start again/s);
    rmSync(filler);
    const journal = await open(state);
    expect(journal.opening.created).toBe(true);
    await journal.close();
  });

  it('takes 9 MiB at least: below that the sources wait for room', async () => {
    const state = join(aDisk(9), 'state');
    const journal = await open(state);
    onTestFinished(() => journal.close());
    await journal.register([siem]);
    await journal.append(pageOf(1));
    expect((await takeAll(journal)).map(({ id }) => id)).toEqual(['p1']);

    const smaller = await open(join(aDisk(8), 'state'));
    onTestFinished(() => smaller.close());
    await smaller.register([siem]);
    await expect(smaller.append(pageOf(1))).rejects.toThrow(/is full.*Make room/);
  });

  it('a disk that is read-only is told at the start, with what to do', async () => {
    const folder = aDisk(16);
    const state = join(folder, 'state');
    await (await open(state)).close();
    const remount = (mode: string) =>
      execFileSync('mount', ['-o', `remount,${mode}`, folder], { stdio: 'pipe' });
    remount('ro');
    await expect(open(state)).rejects.toThrow(JournalError);
    await expect(open(state)).rejects.toThrow(
      /state failed: .*may write there, and that the file system is not read-only/,
    );
    await expect(open(join(folder, 'other'))).rejects.toThrow(/other cannot be made: EROFS/);
    remount('rw');
    const journal = await open(state);
    expect(journal.opening).toMatchObject({ created: false, clean: true });
    await journal.close();
  });
});

describe.skipIf(whyMissing('strace'))('with system calls that fail', () => {
  it('K1: an fsync that fails: all arrives once, and without a restart', async () => {
    await surviveAll('fsync,fdatasync:error=EIO:when=30..31', /disk I\/O error/);
  }, 60_000);
});
