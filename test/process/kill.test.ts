import { it } from 'vitest';
import { killAtRandom } from './killing.ts';

it('Q1 G10 G14 G17: loses nothing with eight faults on, killed ten times while 3,000 alerts are raised and changed', async () => {
  await killAtRandom(10);
}, 120_000);
