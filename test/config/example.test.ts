import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { EXAMPLE } from '../../scripts/example.ts';
import { SCHEMA } from '../../scripts/schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { testFolder } from '../support/folder.ts';

const root = join(import.meta.dirname, '../..');
const fixtures = join(root, 'test/fixtures/config');
const example = readFileSync(join(root, EXAMPLE), 'utf8');
const schema = z.fromJSONSchema(JSON.parse(readFileSync(join(root, SCHEMA), 'utf8')));

/** What an editor thinks of a config. */
const problemsOf = (file: string) => schema.safeParse(parse(readFileSync(file, 'utf8'))).error?.issues;

const shipped = [...globSync('config/*.yaml', { cwd: root }), 'deploy/compose/relay.yaml'];

describe('every config that is shipped', () => {
  it('is looked at', () => {
    expect(shipped).toEqual(expect.arrayContaining([EXAMPLE, 'config/relay.minimal.yaml']));
  });

  it.each(shipped)('%s is one that the relay takes', (file) => {
    // Its secrets and certificates are where it is used.
    const { effective, warnings } = loadConfig(join(root, file), { needs: [], env: {} });
    expect(effective()).toMatchObject({ sinks: [{ type: 'syslog' }] });
    expect(warnings).toEqual([]);
  });

  it.each(shipped)('%s names its schema, and an editor finds nothing wrong', (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const [, named] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    expect(resolve(dirname(join(root, file)), named!)).toBe(join(root, SCHEMA));
    expect(problemsOf(join(root, file))).toBeUndefined();
  });
});

describe('the commented example', () => {
  const load = (text: string) => {
    const file = join(testFolder(), 'relay.yaml');
    writeFileSync(file, text);
    const { effective } = loadConfig(file, { env: { GRAPH_CLIENT_SECRET: 'x' } });
    return { ...effective(), state: undefined };
  };

  it('shows the defaults that the settings have', () => {
    const lines = example.split('\n');
    const indentOf = (line: string) => /^ */.exec(line)![0].length;
    const isSetting = (line: string) => /^ *(#(?! )|[\w-])/.test(line);
    const isShown = (line: string, index: number) => {
      const holder = lines.findLast(
        (other, place) => place < index && isSetting(other) && indentOf(other) < indentOf(line),
      );
      return /^ *#\w+: ./.test(line) && !holder?.includes('#');
    };
    const set = lines.map((line, index) => (isShown(line, index) ? line.replace('#', '') : line));
    const count = set.filter((line, index) => line !== lines[index]).length;
    expect(count).toBeGreaterThan(30);
    expect(load(set.join('\n'))).toEqual(load(example));
  });

  it('has a line for each type of everything', () => {
    for (const type of ['client-secret', 'azure-cli', 'graph-alerts', 'syslog', 'file', 'stdout', 'cef'])
      expect(example).toMatch(new RegExp(`^ *#?type: ${type}$`, 'm'));
  });
});

describe('the schema for editors', () => {
  it.each(['good-full', 'good-minimal', 'good-sinks-only'])('takes %s', (name) => {
    expect(problemsOf(join(fixtures, `${name}.yaml`))).toBeUndefined();
  });

  it.each([
    'choice',
    'duration',
    'duration-without-unit',
    'key-in-the-wrong-place',
    'literal-secret',
    'name',
    'no-type',
    'port',
    'port-name',
    'sinks-text',
    'start',
    'tenant-id',
    'type',
    'typo-in-key',
    'typo-in-part',
  ])('refuses bad-%s', (name) => {
    expect(problemsOf(join(fixtures, `bad-${name}.yaml`))).toBeDefined();
  });

  it.each(['minVersion: 1.2', 'minVersion: "1.3"', `minVersion: '\${env:TLS}'`, 'serverName: 7', 'ca:'])(
    'takes tls of %s, as the relay does',
    (setting) => {
      const config = parse(
        `sinks: [{ name: a, type: syslog, host: b, transport: tls, confirm:, tls: { ${setting} } }]`,
      );
      expect(schema.safeParse(config).error).toBeUndefined();
    },
  );

  it('has no keyword that is only ours', () => {
    expect(readFileSync(join(root, SCHEMA), 'utf8')).not.toMatch(
      /"(secret|known|path|example)": (true|\[|")/,
    );
  });
});
