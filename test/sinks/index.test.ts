import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sinks } from '../../src/sinks/index.ts';
import { collectLog } from '../support/log.ts';

describe('every sink there is', () => {
  it.each(sinks.map(({ schema }) => schema.shape.type.value))('keeps the contract of sinks: %s', (type) => {
    const tests = globSync(`${type}/**/*.test.ts`, { cwd: import.meta.dirname });
    const texts = tests.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
    const kept = texts.filter((text) => new RegExp(`describeSinkContract\\(\\s*[\`']${type}\\b`).test(text));
    expect(kept).not.toEqual([]);
  });

  it.each([
    { type: 'syslog', host: 'siem.test', transport: 'tls' },
    { type: 'syslog', host: 'siem.test', transport: 'relp-tls' },
    { type: 'http', url: 'https://siem.test' },
    { type: 'event-hubs', namespace: 'siem.test', eventHub: 'alerts', tenant: 'contoso' },
  ])('S8: says that it trusts anybody, as long as it does: $type $transport', (settings) => {
    const plugin = sinks.find(({ schema }) => schema.shape.type.value === settings.type)!;
    const notesOf = (insecure: boolean) => {
      const parsed = plugin.schema.parse({ ...settings, tls: { insecure } });
      const credential = () => ({ token: async () => '', close() {} });
      const context = { name: 'siem', log: collectLog(), timeoutMs: 1_000, credential };
      return (
        plugin
          .create(parsed as never, context)
          .notes?.()
          .join() ?? ''
      );
    };
    expect(notesOf(true)).toContain('insecure');
    expect(notesOf(false)).not.toContain('insecure');
  });
});
