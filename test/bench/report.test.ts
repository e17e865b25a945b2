import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { rowsOf, scenarioText, verdictsOf, verdictText } from '../../bench/report.ts';
import { type Bar, Run, type Scenario } from '../../bench/scenario.ts';

const plain = pc.createColors(false);
const scenario: Scenario = { name: 'e2e', measures: 'all of it', run: async () => [] };

function runOf(relay: number, peer?: number): Run {
  const run = new Run();
  run.add('e2e', [{ what: 'relay', figures: { perSecond: relay } }]);
  if (peer !== undefined) run.add('peers', [{ what: 'peer', figures: { perSecond: peer } }]);
  return run;
}

const bar: Bar = {
  what: 'relay, against the peer',
  at: 'least',
  bar: 3,
  spell: (value) => `${value} ×`,
  value(run) {
    const [relay, peer] = [run.figure('e2e', 'relay', 'perSecond'), run.figure('peers', 'peer', 'perSecond')];
    return relay === undefined || peer === undefined ? undefined : relay / peer;
  },
};

describe('the report', () => {
  it('has a row for each subject, with median and spread over the runs', () => {
    const rows = rowsOf(
      [21_000, 20_000, 19_000].map((perSecond) => [
        { what: 'relay', figures: { perSecond, cpuMicros: 80 } },
        { what: 'peer', figures: {}, note: 'not installed' },
      ]),
    );
    expect(rows.map(({ what, note }) => [what, note])).toEqual([
      ['relay', undefined],
      ['peer', 'not installed'],
    ]);
    expect(rows[0]!.figures.perSecond).toEqual({
      median: 20_000,
      spread: 0.1,
      values: [21_000, 20_000, 19_000],
    });
    expect(scenarioText(scenario, rows, plain)).toEqual([
      'e2e  all of it',
      '         records/s     CPU µs/record',
      '  relay  20,000 ± 5 %  80.0 ± 0 %',
      '  peer                                not installed',
    ]);
  });

  it('leaves out the spread of what was measured once', () => {
    const rows = rowsOf([[{ what: 'start', figures: { ms: 812.4, bytes: 150e6 } }]]);
    expect(scenarioText(scenario, rows, plain)[2]).toBe('  start  812  150');
  });

  it('says that what never came took for ever', () => {
    const rows = rowsOf([Infinity, Infinity].map((p99Ms) => [{ what: 'late', figures: { p99Ms } }]));
    expect(scenarioText(scenario, rows, plain)[2]).toBe('  late  ∞');
  });

  it('judges by the median of the ratios of each run', () => {
    const [verdict] = verdictsOf([bar], [runOf(40, 10), runOf(20, 10), runOf(31, 10)]);
    expect(verdict).toMatchObject({ values: [4, 2, 3.1], value: 3.1, holds: true });
    expect(verdictsOf([bar], [runOf(29, 10)])[0]).toMatchObject({ value: 2.9, holds: false });
    expect(verdictsOf([{ ...bar, at: 'most' }], [runOf(29, 10)])[0]).toMatchObject({ holds: true });
  });

  it('does not judge what was not measured, nor by the runs where it was not', () => {
    expect(verdictsOf([bar], [runOf(29)])[0]).toMatchObject({ value: undefined, holds: undefined });
    expect(verdictsOf([bar], [runOf(29), runOf(50, 10)])[0]).toMatchObject({ value: 5, holds: true });
  });

  it('holds no bar by a figure that is no number', () => {
    expect(verdictsOf([bar], [runOf(Number.NaN, 10)])[0]).toMatchObject({ holds: false });
  });

  it('says what holds', () => {
    const verdicts = verdictsOf([bar, { ...bar, what: 'the other', at: 'most' }], [runOf(50, 10)]);
    expect(verdictText(verdicts, plain)).toEqual([
      'bars',
      '                           measured  bar',
      '  relay, against the peer  5 ×       at least 3 ×  holds',
      '  the other                5 ×       at most 3 ×   DOES NOT HOLD',
    ]);
    expect(verdictText(verdictsOf([bar], [runOf(1)]), plain)[2]).toBe(
      '  relay, against the peer  -         at least 3 ×  not measured',
    );
  });
});
