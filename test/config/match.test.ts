import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'match-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function load(match: string, tenants = '') {
  const file = join(directory, 'relay.yaml');
  writeFileSync(file, `${tenants}sinks:\n  - name: out\n    type: stdout\n    match: ${match}\n`);
  return loadConfig(file, { needs: ['sinks'] });
}

const contoso = `tenants:
  - name: contoso
    tenantId: b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c
    credential: { type: client-secret, clientId: 7f1c3609-a3ff-40e2-995b-c01770161d68, clientSecret: "\${env:SECRET}" }
`;

function problems(match: string, tenants = ''): string[] {
  try {
    load(match, tenants);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message, hint }) => `${path}: ${message} (${hint})`);
  }
}

describe('match of a sink', () => {
  it('is everything when it is not given', () => {
    expect(load('').config.sinks[0]?.match).toEqual({});
  });

  it('takes lists of each thing', () => {
    const { config, warnings } = load('{ kind: [alert], severity: [high, medium], status: [new] }');
    expect(config.sinks[0]?.match).toEqual({
      kind: ['alert'],
      severity: ['high', 'medium'],
      status: ['new'],
    });
    expect(warnings).toEqual([]);
  });

  it('warns of a value that Graph does not know today, says which was meant, and takes it', () => {
    const { config, warnings } = load(
      '{ severity: [High], serviceSource: [microsoftDefenderForToasters, x y] }',
    );
    expect(config.sinks[0]?.match.severity).toEqual(['High']);
    expect(warnings).toMatchObject([
      { line: 4, path: 'sinks[0].match.severity[0]', hint: 'did you mean "high"?' },
      { path: 'sinks[0].match.serviceSource[0]' },
      { path: 'sinks[0].match.serviceSource[1]', message: 'this is not a value that is known' },
    ]);
    expect(warnings[0]?.message).toBe('"High" is not a value that is known');
  });

  it('refuses an empty list, which would match nothing, a kind that there is not, and other keys', () => {
    expect(problems('{ severity: [] }')).toHaveLength(1);
    expect(problems('{ kind: [incidents] }')).toHaveLength(1);
    expect(problems('{ severty: [high] }')[0]).toContain('did you mean "severity"?');
  });

  it('refuses a tenant that there is not, once there are tenants', () => {
    expect(problems('{ tenant: [contoso, contso] }', contoso)).toEqual([
      'sinks[0].match.tenant[1]: expected the name of a tenant, found "contso" (did you mean "contoso"?)',
    ]);
    expect(problems('{ tenant: [contoso] }')).toEqual([]);
  });
});
