import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compressions, SUFFIX } from '../../../src/sinks/file/rotation.ts';
import { tidy } from '../../../src/sinks/file/tidy.ts';
import { rendered } from '../../contracts/sink.contract.ts';
import { testFolder } from '../../support/folder.ts';
import { aFileSink, allLines, asidesOf, deliver, linesOf, never, numbers, textOf } from './files.ts';

describe('rotation', () => {
  it.each(compressions)(
    'tears and loses none of 50,000 events with a new file for each 64 KiB, and what is compressed (%s) can be read',
    async (compress) => {
      const path = join(testFolder(), 'alerts.log');
      const rotation = { maxBytes: 65_536, everyMs: undefined, keep: 10_000, compress };
      const sink = aFileSink(path, { rotation, fsync: 'never' });
      const text = (number: number) => `${number} ${'é'.repeat(number % 100)} end`;
      await sink.open(never);
      for (let from = 1; from <= 50_000; from += 200) await deliver(sink, rendered(200, from, text));
      const plain = () => asidesOf(path).filter((file) => !file.endsWith(SUFFIX[compress]));
      // The newest waits: somebody may be reading it.
      await expect.poll(() => plain().length, { timeout: 30_000 }).toBe(1);
      await sink.close();
      const expected = Array.from({ length: 50_000 }, (_, index) => text(index + 1));
      expect(allLines(path)).toEqual(expected);
      const sizes = asidesOf(path).map((file) => Buffer.byteLength(textOf(file)));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(65_536);
      expect(sizes.length).toBeGreaterThan(80);
      expect(plain()).toEqual(asidesOf(path).slice(-1));
    },
    60_000,
  );

  it('killed at any step loses nothing that was confirmed, and the next start mends all', async () => {
    let atStep = 0;
    let wasKilled = true;
    const tried = new Set<string>();
    const kill = async () => {
      while (wasKilled) {
        // The tidying goes on beside the writing, so a step is not the same each time: some more are tried.
        const step = ++atStep;
        wasKilled = await killAndMend(step, tried);
      }
    };
    await Promise.all([kill(), kill()]);
    expect(atStep).toBeGreaterThan(60);
    // It was killed with each of these left behind.
    expect([...tried].toSorted()).toEqual(['a part', 'no file at the path', 'plain and compressed']);
  }, 240_000);
});

const ROTATES = fileURLToPath(new URL('rotates.ts', import.meta.url));

/** Says whether the process lived to be killed. */
async function killAndMend(step: number, tried: Set<string>): Promise<boolean> {
  const path = join(testFolder(), 'alerts.log');
  const child = spawn(process.execPath, [ROTATES, path, String(step)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await once(child, 'close');
  const wasKilled = child.signalCode === 'SIGKILL';
  if (!wasKilled) expect(child.exitCode).toBe(0);
  const left = asidesOf(path);
  if (!existsSync(path) && left.length > 0) tried.add('no file at the path');
  if (left.some((file) => file.endsWith('.part'))) tried.add('a part');
  if (left.some((file) => left.includes(`${file}.gz`))) tried.add('plain and compressed');

  const confirmed = linesOf(output).length * 3;
  const rotation = { maxBytes: 30, everyMs: undefined, keep: 100, compress: 'gzip' } as const;
  const sink = aFileSink(path, { rotation });
  await sink.open(never);
  for (let from = confirmed + 1; from <= 15; from += 3) await deliver(sink, rendered(3, from));
  // All but the newest are compressed, and nothing else is left.
  await expect
    .poll(() => asidesOf(path).filter((file) => !file.endsWith('Z.gz')), { timeout: 10_000 })
    .toEqual([expect.stringMatching(/Z$/)]);
  await sink.close();
  const lines = allLines(path);
  // What was not confirmed may be there twice, in whole batches; all is in order.
  expect(lines.slice(0, confirmed)).toEqual(numbers(1, confirmed));
  expect(lines.slice(-(15 - confirmed))).toEqual(numbers(confirmed + 1, 15));
  expect([15, 18]).toContain(lines.length);
  return wasKilled;
}

describe('tidy()', () => {
  const plain = (path: string) => `${path}-20260304T120000.123Z`;
  const newer = (path: string) => `${path}-20260305T120000.123Z`;

  it('begins anew what was cut off, and keeps the permissions', async () => {
    const path = join(testFolder(), 'a.log');
    writeFileSync(plain(path), 'event 1\n', { mode: 0o600 });
    writeFileSync(`${plain(path)}.gz.part`, gzipSync('event 1\n').subarray(0, 9));
    writeFileSync(newer(path), 'event 2\n');
    const rotation = { maxBytes: undefined, everyMs: undefined, keep: 7, compress: 'gzip' } as const;
    await tidy(promises, path, rotation, never);
    expect(asidesOf(path)).toEqual([`${plain(path)}.gz`, newer(path)]);
    expect(textOf(`${plain(path)}.gz`)).toBe('event 1\n');
    expect(statSync(`${plain(path)}.gz`).mode & 0o777).toBe(0o600);
  });

  it('deletes what was compressed to the end, also when nothing is to be compressed any more', async () => {
    const path = join(testFolder(), 'a.log');
    writeFileSync(plain(path), 'event 1\n');
    writeFileSync(`${plain(path)}.zst`, 'compressed');
    writeFileSync(newer(path), 'event 2\n');
    const rotation = { maxBytes: undefined, everyMs: undefined, keep: 7, compress: undefined };
    await tidy(promises, path, rotation, never);
    expect(asidesOf(path)).toEqual([`${plain(path)}.zst`, newer(path)]);
  });

  it('leaves a part and no more when it is let go of, and does not delete what it has not compressed', async () => {
    const path = join(testFolder(), 'a.log');
    writeFileSync(plain(path), 'x'.repeat(2 ** 22));
    writeFileSync(newer(path), 'event 2\n');
    const rotation = { maxBytes: undefined, everyMs: undefined, keep: 7, compress: 'gzip' } as const;
    const stop = new AbortController();
    const open = async (...args: Parameters<typeof promises.open>) => {
      const handle = await promises.open(...args);
      if (String(args[0]).endsWith('.part')) stop.abort();
      return handle;
    };
    await expect(
      tidy({ ...promises, open } as typeof promises, path, rotation, stop.signal),
    ).rejects.toThrow();
    expect(asidesOf(path)).toEqual([plain(path), `${plain(path)}.gz.part`, newer(path)]);
    expect(readFileSync(plain(path)).length).toBe(2 ** 22);
  });

  it('fails with what it cannot delete', async () => {
    const path = join(testFolder(), 'a.log');
    mkdirSync(plain(path));
    writeFileSync(newer(path), 'event 2\n');
    const rotation = { maxBytes: undefined, everyMs: undefined, keep: 1, compress: undefined };
    await expect(tidy(promises, path, rotation, never)).rejects.toThrow();
  });
});
