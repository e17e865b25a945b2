import { describe, expect, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { killReceiver } from './relp-killing.ts';

const missing = whyMissing('rsyslog-relp');

describe.skipIf(missing)(`RELP to a real rsyslog that is killed${missing ? `: ${missing}` : ''}`, () => {
  it('S1: three times while 6,000 records flow: none is lost, and no more than a window is repeated', async () => {
    const found = await killReceiver({
      records: 6000,
      kills: { times: 3, everyRecords: 1200 },
      maxPerSecond: 0,
      direct: true,
    });
    expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
    expect(found.repeated).toBeLessThanOrEqual(found.failures * found.window);
  });
});
