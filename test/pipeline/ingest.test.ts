import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Append, Appended } from '../../src/core/journal.ts';
import type { Page, Source } from '../../src/core/source.ts';
import { abortError } from '../../src/lib/wait.ts';
import { type IngestOptions, ingest } from '../../src/pipeline/ingest.ts';
import { aSourceRecord } from '../support/records.ts';

const page = (checkpoint: string, ...ids: string[]): Page => ({
  checkpoint,
  records: ids.map((id) => aSourceRecord({ id })),
  floor: 1n,
  watermark: 2n,
  reading: 'poll',
  dateMs: undefined,
});

/** A journal that keeps what it is given, and a source that reads by script; `stop` ends the ingest. */
function scene(
  read: (checkpoint: string | undefined, reading: number) => AsyncIterable<Page>,
  overrides: { append?: (append: Append) => Promise<Appended>; room?: () => Promise<void> } = {},
) {
  const stop = new AbortController();
  const told: string[] = [];
  const kept: Append[] = [];
  let readings = 0;
  const source: Source = {
    tenant: 'contoso',
    read: (checkpoint) => read(checkpoint, readings++),
    close: async () => {},
  };
  const options: IngestOptions = {
    name: 'alerts',
    source,
    everyMs: 1,
    updates: 'all',
    journal: {
      checkpoint: async () => kept.at(-1)?.checkpoint,
      room: overrides.room ?? (async () => {}),
      append: async (append) => {
        const appended = await overrides.append?.(append);
        kept.push(append);
        return appended ?? { new: append.records.length, duplicate: 0, filtered: 0, told: [] };
      },
    },
    observer: {
      kept: ({ checkpoint }) => told.push(`kept ${checkpoint}`),
      read: () => told.push('read'),
    },
  };
  const run = () => ingest(options, stop.signal, () => told.push('healthy'));
  return { run, stop, told, kept };
}

describe('ingest()', () => {
  it('K1: keeps the records of a page and its checkpoint together, before it asks for the next page', async () => {
    const order: string[] = [];
    const { run, stop, kept } = scene(
      async function* () {
        order.push('page 1');
        yield { ...page('one', 'a', 'b'), lateSince: 3n };
        order.push('page 2');
        yield page('two', 'c');
        stop.abort();
      },
      {
        append: async ({ checkpoint }) => {
          await new Promise(setImmediate);
          order.push(`on disk ${checkpoint}`);
          return { new: 1, duplicate: 0, filtered: 0, told: [] };
        },
      },
    );
    await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
    expect(order).toEqual(['page 1', 'on disk one', 'page 2', 'on disk two']);
    expect(kept).toMatchObject([
      { source: 'alerts', tenant: 'contoso', checkpoint: 'one', floor: 1n, lateSince: 3n, updates: 'all' },
      { source: 'alerts', tenant: 'contoso', checkpoint: 'two' },
    ]);
    expect(kept.map(({ records }) => records.map(({ id }) => id))).toEqual([['a', 'b'], ['c']]);
  });

  it('G25: keeps nothing more once it was given up, whenever its source comes to itself', async () => {
    const stuck = Promise.withResolvers<void>();
    const { run, stop, kept } = scene(async function* () {
      await stuck.promise;
      yield page('late', 'a');
    });
    const running = run();
    stop.abort();
    stuck.resolve();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(kept).toEqual([]);
  });

  it('keeps the checkpoint of a page without records: a quiet source does not lag', async () => {
    const { run, stop, kept } = scene(async function* () {
      yield page('quiet');
      stop.abort();
    });
    await run().catch(() => {});
    expect(kept).toMatchObject([{ checkpoint: 'quiet', records: [] }]);
  });

  it('goes on from the last page that was kept, reading after reading', async () => {
    const from: (string | undefined)[] = [];
    const { run, stop } = scene(async function* (checkpoint, reading) {
      from.push(checkpoint);
      if (reading === 3) stop.abort();
      if (reading !== 1) yield page(`after ${reading}`);
    });
    await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
    expect(from).toEqual([undefined, 'after 0', 'after 0', 'after 2']);
  });

  it('G14: does not move on when the journal fails to take the records', async () => {
    const from: (string | undefined)[] = [];
    let appends = 0;
    const { run, stop, told } = scene(
      async function* (checkpoint, reading) {
        from.push(checkpoint);
        if (reading === 2) return stop.abort();
        yield page('one');
        yield page('two');
      },
      {
        append: async () => {
          if (++appends === 2) throw new Error('the disk is gone');
          return { new: 0, duplicate: 0, filtered: 0, told: [] };
        },
      },
    );
    await expect(run()).rejects.toThrow('the disk is gone');
    expect(told).toEqual(['kept one', 'healthy']);
    await run().catch(() => {});
    expect(from.slice(0, 2)).toEqual([undefined, 'one']);
  });

  it('passes on what breaks a reading, with what was read before it kept', async () => {
    const { run, kept, told } = scene(async function* () {
      yield page('one', 'a');
      throw new UnavailableError('Graph is down', { reason: 'server' });
    });
    await expect(run()).rejects.toThrow('Graph is down');
    expect(kept).toHaveLength(1);
    expect(told).not.toContain('read');
  });

  it('tells a reading at its end only, and each page that is on disk', async () => {
    const { run, stop, told } = scene(async function* (_, reading) {
      if (reading === 1) return stop.abort();
      yield page('one');
      yield page('two');
    });
    await run().catch(() => {});
    expect(told).toEqual([
      ...['kept one', 'healthy', 'kept two', 'healthy'],
      ...['read', 'healthy', 'read', 'healthy'],
    ]);
  });

  it('is not healthy by a page that moves nothing: a reading that always breaks behind it must not hammer', async () => {
    const { run, told } = scene(async function* () {
      yield page('one', 'a');
      yield page('one', 'b');
      throw new UnavailableError('the same next link again', { reason: 'answer' });
    });
    await run().catch(() => {});
    expect(told).toEqual(['kept one', 'healthy', 'kept one']);
  });

  it('Q6: reads nothing while the journal is full, and goes on when there is room', async () => {
    let pages = 0;
    let full = true;
    const waits: (() => void)[] = [];
    const { run, stop } = scene(
      async function* () {
        for (; pages < 3; pages++) yield page(`page ${pages}`);
        stop.abort();
      },
      { room: async () => (full ? new Promise<void>((resolve) => waits.push(resolve)) : undefined) },
    );
    const running = run();
    await expect.poll(() => waits.length).toBe(1);
    expect(pages).toBe(0);
    // Full again as soon as there is a page: the next page waits too.
    waits.pop()?.();
    await expect.poll(() => waits.length).toBe(1);
    expect(pages).toBe(0);
    full = false;
    waits.pop()?.();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(pages).toBe(3);
  });

  it('can be stopped while it waits for room', async () => {
    const stop = new AbortController();
    const room = (signal: AbortSignal) =>
      new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => reject(abortError(signal)), { once: true }),
      );
    const options = {
      name: 'alerts',
      source: { tenant: 'contoso', read: () => expect.fail('it read'), close: async () => {} },
      journal: { checkpoint: async () => undefined, append: () => expect.fail('it wrote'), room },
      everyMs: 1,
      updates: 'all' as const,
      observer: { kept() {}, read() {} },
    };
    const running = ingest(options, stop.signal, () => {});
    await new Promise(setImmediate);
    stop.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  });
});
