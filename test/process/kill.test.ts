import { it } from 'vitest';
import { killAtRandom } from './killing.ts';

it('Q1 G10 G14 G17: loses nothing with eight faults on, killed four times while alerts are raised and changed', async () => {
  await killAtRandom(4);
}, 60_000);
