import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { testFolder } from '../support/folder.ts';

function load(filter: string) {
  const file = join(testFolder(), 'relay.yaml');
  writeFileSync(
    file,
    `tenants:
  - { name: contoso, tenantId: 11111111-2222-3333-4444-555555555555, credential: { type: azure-cli } }
sources:
  - name: alerts
    type: graph-alerts
    tenant: contoso
    filter: ${filter}
`,
  );
  return loadConfig(file, { needs: ['sources'] });
}

describe('filter of a source', () => {
  it('G12: warns of a value that Graph does not know today, for it would leave everything out in silence', () => {
    const { config, warnings } = load(
      '{ severity: [High, low], serviceSource: [toasters], status: [newish] }',
    );
    expect(config.sources[0]?.filter.severity).toEqual(['High', 'low']);
    expect(warnings).toMatchObject([
      { line: 7, path: 'sources[0].filter.serviceSource[0]' },
      { path: 'sources[0].filter.severity[0]', hint: 'did you mean "high"?' },
      { path: 'sources[0].filter.status[0]' },
    ]);
  });

  it('is silent about what Graph knows', () => {
    expect(load('{ severity: [high], serviceSource: [microsoftSentinel] }').warnings).toEqual([]);
  });

  it('refuses what could be more than a word in a query', () => {
    expect(() => load(`{ serviceSource: ["a' or '1' eq '1"] }`)).toThrow(ConfigError);
  });
});
