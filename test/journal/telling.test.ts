import { beforeEach, describe, expect, it } from 'vitest';
import type { OwnEvent } from '../../src/core/own-event.ts';
import { Telling } from '../../src/journal/telling.ts';

const HOUR_MS = 3_600_000;
const healed: OwnEvent = { kind: 'sink-healed', sink: 'siem', sinceMs: 0, count: 0 };
const filling = (percent: number): OwnEvent => ({ kind: 'journal-filling', sink: 'siem', percent });

let nowMs: number;
let telling: Telling;
beforeEach(() => {
  nowMs = 1_000;
  telling = new Telling({ wall: () => nowMs, steady: () => nowMs });
});

describe('Telling', () => {
  it('gives the same notes again until they are stored, and then those that came meanwhile', () => {
    telling.note(healed);
    const first = telling.send();
    expect(first).toEqual([{ event: healed, atMs: 1_000, untold: 0 }]);
    telling.note(filling(50));
    expect(telling.send()).toBe(first);
    telling.stored(true);
    expect(telling.send().map(({ event }) => event.kind)).toEqual(['journal-filling']);
    telling.stored(true);
    expect(telling.isEmpty).toBe(true);
  });

  it('takes at most 60 of a kind in an hour, and says with the next how many it did not take', () => {
    for (let count = 0; count < 65; count++) telling.note(healed);
    telling.note(filling(50));
    expect(telling.send()).toHaveLength(61);
    telling.stored(true);
    nowMs += HOUR_MS;
    telling.note(healed);
    telling.note(healed);
    expect(telling.send().map(({ untold }) => untold)).toEqual([5, 0]);
  });

  it('counts those that there was no room for', () => {
    telling.note(healed);
    telling.note(healed);
    telling.send();
    telling.stored(false);
    telling.note(healed);
    expect(telling.send()).toMatchObject([{ untold: 2 }]);
  });

  it('keeps the newest while the disk is away, and never more than some', () => {
    for (let hour = 0; hour < 24; hour++) {
      for (let count = 0; count < 60; count++) telling.note(filling(hour));
      nowMs += HOUR_MS;
    }
    const kept = telling.send();
    expect(kept.length).toBeLessThanOrEqual(200);
    expect(kept.at(-1)?.event).toEqual(filling(23));
    telling.stored(true);
    nowMs += HOUR_MS;
    telling.note(filling(50));
    const untold = [...kept, ...telling.send()].reduce((sum, note) => sum + note.untold, 0);
    expect(untold).toBe(24 * 60 - kept.length);
  });
});
