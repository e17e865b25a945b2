import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openMetrics } from '../../src/observe/metrics.ts';
import { whyMissing } from '../peers/missing.ts';
import { root } from './stand-in.ts';

const file = join(root, 'deploy/prometheus/alerts.yml');
const text = readFileSync(file, 'utf8');

const promtool = (...args: string[]) => execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' });

describe('alerts.yml', () => {
  it('asks for nothing that the relay does not tell', async () => {
    const told = await openMetrics('1.2.3').text();
    const known = Array.from(told.matchAll(/^# HELP (\S+)/gm), ([, name]) => name);
    const asked = new Set(text.match(/\bdefender_relay_\w+/g));
    expect(asked.size).toBeGreaterThan(8);
    expect([...asked].filter((name) => !known.includes(name))).toEqual([]);
  });

  it('has nothing of which operations.md does not say what to do', () => {
    const { groups } = parse(text) as { groups: { rules: { alert: string }[] }[] };
    const names = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    const explained = readFileSync(join(root, 'docs/operations.md'), 'utf8').match(/(?<=^\| `)\w+/gm);
    expect(names).toEqual(explained);
  });
});

describe.skipIf(whyMissing('promtool'))('alerts.yml in Prometheus (skipped without promtool)', () => {
  it('is taken', () => {
    expect(promtool('check', 'rules', file)).toContain('SUCCESS');
  });

  it('G18: wakes for what it says, also for one source that stands still while the others go on', () => {
    const cases = join(import.meta.dirname, 'alerts.rules-test.yml');
    expect(promtool('test', 'rules', cases)).toContain('SUCCESS');
  });
});
