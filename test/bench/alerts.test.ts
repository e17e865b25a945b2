import { describe, expect, it } from 'vitest';
import { firstFrom, keyAt, MOST_ALERT_BYTES, writePage } from '../../bench/alerts.ts';

interface Alert {
  readonly id: string;
  readonly createdDateTime: string;
  readonly lastUpdateDateTime: string;
  readonly evidence: readonly { '@odata.type': string }[];
}

const alertsOf = (page: Buffer): Alert[] => JSON.parse(page.toString()).value;

describe('the alerts of the bench', () => {
  it('are pages as Graph has them: newest first, each with an id and a time of its own', () => {
    const page = writePage({ '@odata.count': 7 }, 60, 140);
    expect(JSON.parse(page.toString())['@odata.count']).toBe(7);
    const alerts = alertsOf(page);
    expect(alerts).toHaveLength(80);
    expect(alerts.map(({ lastUpdateDateTime }) => lastUpdateDateTime)).toEqual(
      Array.from({ length: 80 }, (_, index) => keyAt(139 - index)),
    );
    expect(alerts.every((alert) => alert.createdDateTime === alert.lastUpdateDateTime)).toBe(true);
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(80);
  });

  it('are what the bars speak of: about 8 KB, six kinds of evidence', () => {
    const [alert] = alertsOf(writePage({}, 5, 6));
    const kinds = alert!.evidence.map((piece) => piece['@odata.type'].split('.').at(-1));
    expect(kinds).toEqual(
      ['device', 'user', 'process', 'file', 'ip', 'url'].map((kind) => `${kind}Evidence`),
    );
    expect(MOST_ALERT_BYTES / 8_000).toBeCloseTo(1, 1);
    expect(JSON.stringify(alert).length / 8_000).toBeCloseTo(1, 1);
  });

  it('are the same each time, also in memory that held others', () => {
    const memory = Buffer.alloc(10 * (MOST_ALERT_BYTES + 1), 'x');
    writePage({}, 100, 108, memory);
    expect(writePage({}, 3, 5, memory).equals(writePage({}, 3, 5))).toBe(true);
  });

  it('are found by their time', () => {
    expect(firstFrom('', 100)).toBe(0);
    expect(firstFrom(keyAt(42), 100)).toBe(42);
    expect(firstFrom(`${keyAt(42)}~`, 100)).toBe(43);
    expect(firstFrom('~', 100)).toBe(100);
  });
});
