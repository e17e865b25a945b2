import { expect, it } from 'vitest';
import type { SinkVerdict } from '../../scripts/torture/scene.ts';
import { type Result, summaryOf } from '../../scripts/torture/summary.ts';

const good: SinkVerdict = {
  owed: 3,
  delivered: 4,
  duplicated: 0,
  lost: [],
  outOfOrder: [],
  unknown: [],
  altered: [],
  renumbered: [],
  merged: [],
};

const result = (verdict: Partial<SinkVerdict> = {}, rest: Partial<Result> = {}): Result => ({
  verdict: {
    sinks: new Map([
      ['siem', good],
      ['file', { ...good, ...verdict }],
    ]),
    torn: [],
    exitCode: 0,
  },
  stuck: [],
  recoveries: [800, 2_500],
  cannot: new Map(),
  unforeseen: [],
  lastLog: 'stopped',
  ...rest,
});

it('is clean where nothing is wrong, and adds up what each sink got', () => {
  const { lines, isClean } = summaryOf([result({ duplicated: 2_000 }), result()]);
  expect(isClean).toBe(true);
  expect(lines).toContain('siem: owed 6, delivered 8, duplicated 0');
  expect(lines).toContain('file: owed 6, delivered 8, duplicated 2000');
  expect(lines).toContain('longest recovery 3s, torn by a kill 0');
});

it.each<[string, Partial<SinkVerdict>]>([
  ['lost', { lost: ['x'] }],
  ['out of order', { outOfOrder: ['x'] }],
  ['never raised', { unknown: ['x'] }],
  ['altered', { altered: ['x'] }],
  ['renumbered', { renumbered: ['x'] }],
  ['merged', { merged: ['x'] }],
  // Of each scene its own: what others may repeat does not count.
  ['repeated too often', { duplicated: 2_001 }],
])('is not clean where something is wrong at one sink, and names it: %s', (what, verdict) => {
  const { lines, isClean } = summaryOf([result(), result(verdict)]);
  expect(isClean).toBe(false);
  expect(lines).toContain(`${what}: 1`);
  expect(lines.filter((line) => line.startsWith('  file: '))).toHaveLength(1);
});

it.each<[string, Partial<Result>]>([
  ['stuck after', { stuck: ['relay: SIGKILL'] }],
  ['unforeseen errors', { unforeseen: ['a stack'] }],
  ['ended badly', { verdict: { ...result().verdict, exitCode: 1 } }],
])('is not clean where the relay was: %s', (what, rest) => {
  const { lines, isClean } = summaryOf([result({}, rest)]);
  expect(isClean).toBe(false);
  expect(lines).toContain(`${what}: 1`);
});
