import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Format, Stamp } from '../../src/core/format.ts';
import type { Loan, Position } from '../../src/core/journal.ts';
import type { Room } from '../../src/core/sink.ts';
import { type RenderOptions, render as renderChosen } from '../../src/pipeline/render.ts';
import { aRecord } from '../support/records.ts';

const from = { cursor: { batch: 1, index: -1 }, stream: 7, sequence: 100 };
const wide = { records: 1000, bytes: 1_000_000 };

/** A loan of records whose ids say into how many events of how many bytes the format makes them. */
function loan(...ids: string[]): Loan {
  return {
    records: ids.map((id) => aRecord({ id })),
    ends: ids.map((_, index) => ({ batch: 1, index })),
  };
}

const format: Format = ({ id }) => {
  if (id.startsWith('throws')) throw new Error(id);
  const [parts = 1, bytes = 1] = id.split('x').map(Number);
  return Array.from({ length: parts }, () => 'é'.repeat(bytes / 2));
};
/** What is not wanted has an id that begins with `not`. */
function render(given: Loan, at: Position, room: Room, using: RenderOptions, force: boolean) {
  const choices = given.records.map(({ id }) => ({ wanted: !id.startsWith('not') }));
  const ready = renderChosen(given, choices, at, room, using, force);
  if (!ready) return undefined;
  const { batch, rendered } = ready;
  expect(batch.records).toBe(rendered.length);
  return { ...batch, rendered, refused: batch.steps.flatMap(({ refusal }) => refusal ?? []) };
}

const options = { format, maxBytes: 900, headerBytes: 0, nowMs: 5 };

describe('render()', () => {
  it('numbers events on, part by part, and ends behind the last record', () => {
    const batch = render(loan('1x2', '3x2', '1x2'), from, wide, options, false);
    expect(batch?.rendered.map(({ stream, sequence, events }) => [stream, sequence, events.length])).toEqual([
      [7, 101, 1],
      [7, 102, 3],
      [7, 105, 1],
    ]);
    expect(batch?.end).toEqual({ cursor: { batch: 1, index: 2 }, stream: 7, sequence: 105 });
  });

  it('S6: numbers what is told by somebody’s wish in a stream of its own', () => {
    const { records, ends } = loan('1x2', '2x2', '1x2', 'throws', 'not', '1x2');
    const again = [1, 3, 4].map((index) => ({ index, outcome: 'retry' as const }));
    const mixed = records.map((record, index) => ({
      ...record,
      ...again.find((each) => each.index === index),
    }));
    const at = { ...from, apart: { stream: 9, sequence: 50 } };
    const batch = render({ records: mixed, ends }, at, wide, options, false);
    expect(batch?.rendered.map(({ stream, sequence }) => [stream, sequence])).toEqual([
      [7, 101],
      [9, 51],
      [7, 102],
      [7, 103],
    ]);
    expect(batch?.end).toEqual({
      cursor: { batch: 1, index: 5 },
      stream: 7,
      sequence: 103,
      apart: { stream: 9, sequence: 53 },
    });
  });

  it('gives the format its number, its time and its budget', () => {
    const stamps: Stamp[] = [];
    const spy: Format = (_, stamp) => {
      stamps.push(stamp);
      return ['x'];
    };
    render(loan('a', 'b'), from, wide, { ...options, format: spy }, false);
    expect(stamps).toEqual([
      { stream: 7, sequence: 101, sentMs: 5, maxBytes: 900 },
      { stream: 7, sequence: 102, sentMs: 5, maxBytes: 900 },
    ]);
  });

  it('counts bytes, not characters, and a header for each event', () => {
    const batch = render(loan('2x10'), from, wide, { ...options, headerBytes: 3 }, false);
    expect(batch?.bytes).toBe(2 * (10 + 3));
  });

  it('takes what there is room for', () => {
    const byBytes = render(loan('1x10', '1x10', '1x10'), from, { records: 9, bytes: 20 }, options, false);
    expect(byBytes?.rendered).toHaveLength(2);
    expect(byBytes?.end).toMatchObject({ cursor: { index: 1 }, sequence: 102 });
    const byRecords = render(loan('1x10', '1x10', '1x10'), from, { records: 1, bytes: 99 }, options, false);
    expect(byRecords?.end).toMatchObject({ cursor: { index: 0 } });
  });

  it('is undefined when not even the first fits, unless it is forced, and then it is alone', () => {
    for (const room of [
      { records: 0, bytes: 99 },
      { records: 9, bytes: 9 },
      { records: -1, bytes: -1 },
    ]) {
      expect(render(loan('1x10', '1x2'), from, room, options, false)).toBeUndefined();
      expect(render(loan('1x10', '1x2'), from, room, options, true)?.rendered).toHaveLength(1);
    }
  });

  it('S8: sets aside what the format cannot take, keeps its number, and goes on', () => {
    const batch = render(loan('1x2', 'throws', '1x2'), from, wide, options, false);
    expect(batch?.rendered.map(({ sequence }) => sequence)).toEqual([101, 103]);
    expect(batch?.refused).toMatchObject([
      { record: { id: 'throws' }, reason: 'format', detail: 'Error: throws' },
    ]);
    expect(batch?.end).toMatchObject({ cursor: { index: 2 }, sequence: 103 });
  });

  it('S8: sets aside what the format makes nothing of: no record goes without a word', () => {
    const batch = render(loan('0x0', '1x2'), from, wide, options, false);
    expect(batch?.refused).toMatchObject([{ record: { id: '0x0' }, reason: 'format' }]);
    expect(batch?.rendered.map(({ sequence }) => sequence)).toEqual([102]);
  });

  it('R8: passes over what is not wanted: no number, no room, also when there is none', () => {
    const batch = render(loan('not 1', '1x2', 'not 2', '1x2', 'not 3'), from, wide, options, false);
    expect(batch?.rendered.map(({ sequence }) => sequence)).toEqual([101, 102]);
    expect(batch?.steps.map(({ end }) => [end.cursor.index, end.sequence])).toEqual([
      [0, 100],
      [1, 101],
      [2, 101],
      [3, 102],
      [4, 102],
    ]);
    const many = render(loan('not 1', 'not 2', 'not 3', '1x2', 'not 4'), from, wide, options, false);
    expect(many?.steps.map(({ filtered, end }) => [filtered, end.cursor.index])).toEqual([
      [3, 2],
      [undefined, 3],
      [1, 4],
    ]);
    const full = render(loan('not 1', 'not 2', '1x2'), from, { records: 0, bytes: 0 }, options, false);
    expect(full).toMatchObject({ rendered: [], end: { cursor: { index: 1 }, sequence: 100 } });
  });

  it('takes one record whatever its size when it is forced, also behind others that need no room', () => {
    const batch = render(
      loan('not 1', 'throws', '1x10', '1x2'),
      from,
      { records: 0, bytes: 0 },
      options,
      true,
    );
    expect(batch).toMatchObject({ rendered: [{ sequence: 102 }], end: { cursor: { index: 2 } } });
  });

  it('S9: formats what is poison to the sink, for its numbers, and refuses it', () => {
    const poison = ({ index }: { index: number }) => (index === 1 ? 'it hurts' : undefined);
    const batch = render(loan('1x2', '3x2', '1x2'), from, wide, { ...options, poison }, false);
    expect(batch?.rendered.map(({ sequence }) => sequence)).toEqual([101]);
    expect(batch?.refused).toMatchObject([{ record: { id: '3x2' }, reason: 'poison', detail: 'it hurts' }]);
    // It ends the batch: the next one may be poison, too, and must not take the verdict on this one with it.
    expect(batch?.end).toMatchObject({ cursor: { index: 1 }, sequence: 104 });
  });

  it('S4: does not touch what the relay has died of, and refuses it, wanted or not', () => {
    const touched: string[] = [];
    const spy: Format = ({ id }) => [`${touched.push(id)}`];
    const touch = ({ index }: { index: number }) => index === 0 || index === 3;
    const given = loan('a', 'b', 'not c', 'd');
    const batch = render(given, from, wide, { ...options, format: spy, touch }, false);
    expect(touched).toEqual(['a', 'd']);
    expect(batch?.refused).toMatchObject([
      { record: { id: 'b' }, reason: 'crash' },
      { record: { id: 'not c' }, reason: 'crash' },
    ]);
    expect(batch?.rendered.map(({ sequence }) => sequence)).toEqual([101, 104]);
  });

  it('can consist of refusals alone', () => {
    const batch = render(loan('throws 1', 'throws 2'), from, wide, options, false);
    expect(batch).toMatchObject({ rendered: [], bytes: 0, end: { cursor: { index: 1 }, sequence: 102 } });
    expect(batch?.refused).toHaveLength(2);
  });

  it('accounts for every record up to its end, and numbers without a gap but the refused', () => {
    const ids = fc.constantFrom('1x2', '2x8', '3x100', 'throws', '0x0', 'not');
    const room = fc.record({
      records: fc.integer({ min: -1, max: 9 }),
      bytes: fc.integer({ min: -1, max: 300 }),
    });
    fc.assert(
      fc.property(
        fc.array(ids, { minLength: 1, maxLength: 9 }),
        room,
        fc.boolean(),
        (names, space, force) => {
          const batch = render(loan(...names), from, space, options, force);
          if (!batch) return;
          const done = names.slice(0, batch.end.cursor.index + 1);
          const wanted = done.filter((id) => id !== 'not');
          expect(batch.rendered.length + batch.refused.length).toBe(wanted.length);
          const counted = batch.steps.map(({ filtered = 1 }) => filtered);
          expect(counted.reduce((sum, count) => sum + count, 0)).toBe(done.length);
          const numbers = wanted.map((id) => Math.max(1, Number(id.split('x')[0]) || 0));
          expect(batch.end.sequence).toBe(from.sequence + numbers.reduce((sum, count) => sum + count, 0));
          if (!force) {
            expect(batch.bytes).toBeLessThanOrEqual(Math.max(0, space.bytes));
            expect(batch.rendered.length).toBeLessThanOrEqual(Math.max(0, space.records));
          }
        },
      ),
    );
  });
});
