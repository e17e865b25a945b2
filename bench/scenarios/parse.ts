import { Alerts } from '../alerts.ts';
import type { Scenario } from '../scenario.ts';

const PAGE = 500;
const WARM_UP_PAGES = 8;

export const PARSE = 'JSON.parse alone';

/** What nobody who reads JSON in JavaScript can be faster than, on one core. */
export const parse: Scenario = {
  name: 'parse',
  measures: 'JSON.parse of the same alerts in pages of 500, and nothing else, with the machine to itself',
  run: async ({ quick }) => {
    const pages = quick ? 40 : 120;
    const alerts = new Alerts();
    let [ms, cpuMicros] = [0, 0];
    for (let page = -WARM_UP_PAGES; page < pages; page++) {
      const from = (page + WARM_UP_PAGES) * PAGE;
      const text = alerts.page({}, from, from + PAGE).toString();
      const [begun, cpu] = [performance.now(), process.cpuUsage()];
      const { value } = JSON.parse(text) as { value: unknown[] };
      if (value.length !== PAGE) throw new Error('a page is not whole');
      if (page < 0) continue;
      ms += performance.now() - begun;
      const { user, system } = process.cpuUsage(cpu);
      cpuMicros += user + system;
    }
    const records = pages * PAGE;
    return [{ what: PARSE, figures: { perSecond: (1000 * records) / ms, cpuMicros: cpuMicros / records } }];
  },
};
