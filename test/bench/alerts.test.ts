import { describe, expect, it } from 'vitest';
import { Alerts, keyAt, numberIn, risingFrom } from '../../bench/alerts.ts';

interface Alert {
  readonly id: string;
  readonly createdDateTime: string;
  readonly lastUpdateDateTime: string;
  readonly evidence: readonly { '@odata.type': string }[];
}

const alertsOf = (page: Buffer): Alert[] => JSON.parse(page.toString()).value;

const alerts = new Alerts();

describe('the alerts of the bench', () => {
  it('are pages as Graph has them: newest first, each with an id and a time of its own', () => {
    const page = alerts.page({ '@odata.count': 7 }, 60, 140);
    expect(JSON.parse(page.toString())['@odata.count']).toBe(7);
    const served = alertsOf(page);
    expect(served).toHaveLength(80);
    expect(served.map(({ lastUpdateDateTime }) => lastUpdateDateTime)).toEqual(
      Array.from({ length: 80 }, (_, index) => keyAt(139 - index)),
    );
    expect(served.every((alert) => alert.createdDateTime === alert.lastUpdateDateTime)).toBe(true);
    expect(new Set(served.map(({ id }) => id)).size).toBe(80);
  });

  it('are what the bars speak of: about 8 KB, six kinds of evidence', () => {
    const [alert] = alertsOf(alerts.page({}, 5, 6));
    const kinds = alert!.evidence.map((piece) => piece['@odata.type'].split('.').at(-1));
    expect(kinds).toEqual(
      ['device', 'user', 'process', 'file', 'ip', 'url'].map((kind) => `${kind}Evidence`),
    );
    expect(alerts.mostBytes / 8_000).toBeCloseTo(1, 1);
    expect(JSON.stringify(alert).length / 8_000).toBeCloseTo(1, 1);
  });

  it('are the same each time, also in memory that held others', () => {
    const memory = Buffer.alloc(10 * (alerts.mostBytes + 1), 'x');
    alerts.page({}, 100, 108, memory);
    expect(alerts.page({}, 3, 5, memory).equals(alerts.page({}, 3, 5))).toBe(true);
  });

  it('are found by their time', () => {
    expect(alerts.firstFrom('', 100)).toBe(0);
    expect(alerts.firstFrom(keyAt(42), 100)).toBe(42);
    expect(alerts.firstFrom(`${keyAt(42)}~`, 100)).toBe(43);
    expect(alerts.firstFrom('~', 100)).toBe(100);
  });

  it('have objects in the place of lists for who cannot read a list', () => {
    const bytes = Buffer.alloc(9_000);
    const text = bytes.toString('utf8', 0, new Alerts({ keyed: true }).write(bytes, 0, 5));
    const { evidence, mitreTechniques } = JSON.parse(text);
    expect(Object.keys(evidence)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(Object.values(evidence)).toMatchObject([{ loggedOnUsers: { 0: {} } }, {}, {}, {}, {}, {}]);
    expect(mitreTechniques).toEqual(['T1059.001', 'T1105']);
  });

  it('rise one after another where they are asked to, and are known by their number', () => {
    const rising = risingFrom(Date.UTC(2026, 5, 1), 4_000);
    expect([0, 1, 4, 6].map(rising)).toEqual([
      '2026-06-01T00:00:00.0000000Z',
      '2026-06-01T00:00:00.0002500Z',
      '2026-06-01T00:00:00.0010000Z',
      '2026-06-01T00:00:00.0015000Z',
    ]);
    const page = new Alerts({ keyAt: rising }).page({}, 41, 42);
    expect(numberIn(page, 0)).toBe(41);
    expect(alertsOf(page)[0]!.lastUpdateDateTime).toBe(rising(41));
  });
});
