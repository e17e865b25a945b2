import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rendered } from '../../contracts/sink.contract.ts';
import { whyMissing } from '../../peers/missing.ts';
import { testFolder } from '../../support/folder.ts';
import { aFileSink, asidesOf, deliver, linesOf, never, textOf } from './files.ts';

const mount = (folder: string, options: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' });

describe.skipIf(whyMissing('file systems of their own'))('with real troubles', () => {
  /** A folder on a disk of 1 MiB. */
  const aSmallDisk = () => {
    const folder = testFolder();
    mount(folder, 'size=1m');
    onTestFinished(() => void execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' }));
    return folder;
  };
  const text = (number: number) => `${number} ${'x'.repeat(3_000)} end`;

  it('a full disk is told, and is gone on with where it stopped when there is room: once each, and whole', async () => {
    const folder = aSmallDisk();
    const path = join(folder, 'alerts.log');
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(700_000));
    const sink = aFileSink(path);
    await sink.open(never);
    // 600 kB, of which a half fits.
    for (let tries = 0; tries < 3; tries++) {
      await expect(sink.send(rendered(200, 1, text), never)).rejects.toThrow('the disk is full (ENOSPC)');
      await sink.close();
      await sink.open(never);
    }
    const half = readFileSync(path).length;
    expect(half).toBeGreaterThan(200_000);
    unlinkSync(join(folder, 'ballast'));
    await deliver(sink, rendered(200, 1, text));
    await sink.close();
    expect(linesOf(readFileSync(path, 'utf8'))).toEqual(
      rendered(200, 1, text).map(({ events }) => String(events[0])),
    );
  });

  it('a disk that fills up while it compresses keeps what it could not compress', async () => {
    const folder = aSmallDisk();
    const path = join(folder, 'alerts.log');
    // Becomes hardly smaller.
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString('base64');
    const sent = Array.from({ length: 14 }, (_, index) => rendered(1, index + 1, noise)[0]!);
    const rotation = { maxBytes: 330_000, everyMs: undefined, keep: 10, compress: 'gzip' } as const;
    const sink = aFileSink(path, { rotation });
    await sink.open(never);
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(200_000));
    for (const one of sent) await deliver(sink, [one]);
    await deliver(
      sink,
      rendered(1, 15, (number) => `${number} ${'y'.repeat(100_000)}`),
    );
    await expect
      .poll(() => sink.notes())
      .toEqual([expect.stringContaining('cannot be compressed or deleted: ENOSPC')]);
    const expected = sent.flatMap((one) => sink.messages(one).map(String));
    await sink.close();
    expect(asidesOf(path).filter((file) => file.endsWith('.gz'))).toEqual([]);
    const whole = [...asidesOf(path).filter((file) => !file.endsWith('.part')), path];
    expect(linesOf(whole.map(textOf).join('')).slice(0, 14).join() === expected.join()).toBe(true);
  });

  it('a file system that is read-only is told', async () => {
    const folder = aSmallDisk();
    execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'pipe' });
    const sink = aFileSink(join(folder, 'alerts.log'));
    await expect(sink.open(never)).rejects.toThrow('the file system is read-only (EROFS)');
  });

  const NOBODY = 65_534;
  const opensAs = (path: string): string => {
    const script = fileURLToPath(new URL('opens.ts', import.meta.url));
    const as = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    return execFileSync('setpriv', [...as, process.execPath, script, path], { encoding: 'utf8' });
  };

  it.each<[string, (folder: string, path: string) => void, string]>([
    ['a folder of another user', () => {}, 'user 65534 may not (EACCES)'],
    [
      'a file of another user',
      (folder, path) => {
        chmodSync(folder, 0o777);
        writeFileSync(path, '', { mode: 0o644 });
      },
      'user 65534 may not (EACCES). It needs to read and write the file',
    ],
    [
      'a file of its own in a folder of another user, which is enough but for rotation',
      (_, path) => {
        writeFileSync(path, '');
        chownSync(path, NOBODY, NOBODY);
      },
      'written; cannot be put aside and grows on: EACCES',
    ],
  ])('a right that is missing is told: %s', (_, prepare, expected) => {
    const base = testFolder();
    chmodSync(base, 0o755);
    const folder = join(base, 'logs');
    mkdirSync(folder, { mode: 0o755 });
    const path = join(folder, 'alerts.log');
    prepare(folder, path);
    expect(opensAs(path)).toContain(expected);
  });
});
