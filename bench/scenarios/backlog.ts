import { backlog as waitAndDrain } from '../../scripts/soak/backlog.ts';
import type { Scenario } from '../scenario.ts';

const RECORDS = { full: 1_000_000, quick: 50_000 };

export const FILLED = 'they wait for one sink while another is served';
export const DRAINED = 'all of them are given to the first';

/** An outage of a receiver, and how it comes to an end. */
export const backlog: Scenario = {
  name: 'backlog',
  once: true,
  measures: 'small records, as npm run soak -- --backlog has it',
  async run({ quick, say }) {
    const records = quick ? RECORDS.quick : RECORDS.full;
    const { isWell, lines, found } = await waitAndDrain(records, say);
    const note = `${records.toLocaleString('en')} records`;
    const { filled, drained, highBytes } = found;
    if (!isWell) console.error(lines.join('\n'));
    return [
      { what: FILLED, figures: { perSecond: filled.recordsPerSecond, bytes: filled.mostBytes }, note },
      { what: DRAINED, figures: { perSecond: drained.recordsPerSecond, bytes: highBytes }, note },
    ];
  },
};
