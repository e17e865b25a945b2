import { expect, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { dyingAtSync, letDieAtSync } from '../support/strace.ts';
import { killAtRandom, scene } from './killing.ts';

const TIMES = 20;
/** So many of them are traced from their start, which is slow: for the syncs of opening. */
const FROM_THE_START = 3;
/** The others die at one of so many syncs, counted from when the journal's thread is there. */
const MOST_SYNCS = 4;

it('Q1 G10 G14 G17: loses nothing with eight faults on, killed twenty times while alerts are raised and changed', async () => {
  await killAtRandom(TIMES);
}, 150_000);

it.skipIf(whyMissing('strace'))(
  'Q1: loses nothing, killed twenty times when it makes something durable (skipped without strace)',
  async () => {
    const { relay, isConserved } = await scene(20, ['update']);
    const kills: number[] = [];
    while (kills.length < TIMES) {
      // A new journal has syncs of its own, and an old one that is opened.
      const nth = kills.length + 1;
      relay.start(nth <= FROM_THE_START ? dyingAtSync(nth) : []);
      if (nth > FROM_THE_START) await letDieAtSync(relay.pid!, 'journal', 1 + (nth % MOST_SYNCS));
      expect(await relay.ended(), relay.log.slice(-2_000)).toBe('SIGKILL');
      kills.push(Date.now());
    }
    relay.start();
    await isConserved(kills);
  },
  150_000,
);
