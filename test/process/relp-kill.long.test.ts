import { describe, expect, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { killReceiver } from './relp-killing.ts';

const missing = whyMissing('rsyslog-relp');
const everyTwoSeconds = { records: 50_000, kills: { everyMs: 2000 }, maxPerSecond: 2500 };

describe.skipIf(missing)(`RELP to a real rsyslog that is killed${missing ? `: ${missing}` : ''}`, () => {
  it('S1: every two seconds while 50,000 records flow: none is lost when it writes before it acknowledges', async () => {
    const found = await killReceiver({ ...everyTwoSeconds, direct: true });
    console.log('rsyslog by RELP, queue.type="Direct":', found);
    expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
    expect(found.kills).toBeGreaterThanOrEqual(5);
    expect(found.repeated).toBeLessThanOrEqual(found.failures * found.window);
  }, 180_000);

  it('what it loses out of its queue in memory, which it had acknowledged, is its own loss, and is told here', async () => {
    // Once: what is lost never comes, so that there may be no second time.
    const kills = { times: 1, everyRecords: 500 };
    const found = await killReceiver({ records: 5000, kills, maxPerSecond: 0, direct: false });
    console.log('rsyslog by RELP, with its queue in memory:', found);
    expect(found).toMatchObject({ renumbered: 0 });
  }, 180_000);
});
