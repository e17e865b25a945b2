import { Alerts } from '../alerts.ts';
import { Cost } from '../cost.ts';
import type { Scenario } from '../scenario.ts';

const PAGE = 500;
const WARM_UP_PAGES = 8;

export const PARSE = 'JSON.parse alone';

/** What nobody who reads JSON in JavaScript can be faster than, on one core. */
export const parse: Scenario = {
  name: 'parse',
  measures: 'JSON.parse of the same alerts in pages of 500, and nothing else, with the machine to itself',
  run: async ({ quick }) => {
    const alerts = new Alerts();
    const [warmUp, cost] = [new Cost(), new Cost()];
    for (let page = 0; page < WARM_UP_PAGES + (quick ? 40 : 120); page++) {
      const text = alerts.page({}, page * PAGE, (page + 1) * PAGE).toString();
      const value = await (page < WARM_UP_PAGES ? warmUp : cost).of(PAGE, () => JSON.parse(text).value);
      if (value.length !== PAGE) throw new Error('a page is not whole');
    }
    return [{ what: PARSE, figures: cost.figures }];
  },
};
