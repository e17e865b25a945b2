import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type PreviewFlags, previewCommand } from '../../src/cli/preview.ts';
import { UnavailableError, UsageError } from '../../src/core/errors.ts';
import { ownEventIds } from '../../src/core/own-event.ts';
import { anAlert } from '../support/records.ts';
import { graphError, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

const fixtures = join(import.meta.dirname, '../fixtures');
const graph = join(fixtures, 'graph');
const alerts = readdirSync(graph).filter((name) => name.endsWith('.json'));

const TWO_SINKS = `sinks:
  - name: console
    type: stdout
  - name: siem
    type: syslog
    transport: tcp
    host: siem.invalid
    port: 514
`;

/** Writes a config into a folder of the test. */
function aConfig(yaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'relay.yaml');
  writeFileSync(file, yaml);
  return file;
}

async function preview(flags: Partial<PreviewFlags>, { input = '', terminal = false } = {}) {
  const stdout = Object.assign(new PassThrough({ highWaterMark: 2 ** 30 }), { isTTY: terminal });
  const stderr = new PassThrough();
  const io = { stdin: Readable.from([input]), stdout, stderr, env: {}, exit: () => expect.fail('it ended') };
  const config = join(fixtures, 'config/good-sinks-only.yaml');
  const exitCode = await previewCommand({ config, limit: 20, ...flags }, io);
  stdout.end();
  stderr.end();
  return {
    exitCode,
    output: (await stdout.toArray()).join(''),
    errors: (await stderr.toArray()).join(''),
  };
}

describe('preview', () => {
  it('has fixtures to show', () => {
    expect(alerts.length).toBeGreaterThan(10);
  });

  it.each(alerts)('shows %s with a config that has sinks and nothing else', async (name) => {
    const { exitCode, output, errors } = await preview({ input: join(graph, name) });
    expect(exitCode).toBe(0);
    expect(errors).toBe('');
    const lines = output.trimEnd().split('\n');
    for (const line of lines) {
      expect(line).toMatch(/^CEF:0\|/);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8000);
    }
    const { id } = JSON.parse(readFileSync(join(graph, name), 'utf8'));
    // Whole in the link to the portal; `externalId` may be too short for it.
    for (const line of lines) expect(line).toContain(`/alerts/${id}?`);
  });

  it('shows what the relay tells of itself, to sinks that are given it', async () => {
    const config = aConfig(
      'sinks:\n  - { name: console, type: stdout }\n  - { name: quiet, type: stdout, selfEvents: false }\n',
    );
    const { output, errors } = await preview({ config, own: true });
    const events = output.split('\n').filter((line) => line.startsWith('CEF:0|defender-relay|'));
    expect(events).toHaveLength(ownEventIds.length);
    expect(errors).toBe('sink quiet: its selfEvents leaves out all that there is: nothing to show\n');
    await expect(preview({ own: true, input: '-' })).rejects.toThrow(UsageError);
  });

  it('says in JSON which sink, alert and part an event is', async () => {
    const big = anAlert({
      evidence: Array.from({ length: 300 }, (_, n) => ({
        '@odata.type': '#microsoft.graph.security.urlEvidence',
        url: `https://evil.example/${n}/${'x'.repeat(60)}`,
      })),
    });
    const flags = { input: '-', json: true, config: aConfig(TWO_SINKS) };
    const { output } = await preview(flags, { input: JSON.stringify([anAlert({ id: 'small' }), big]) });
    const told = output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const sink of ['console', 'siem']) {
      const own = told.filter((line) => line.sink === sink);
      const [small, ...parts] = own;
      expect(small).toMatchObject({ id: 'small', part: 1, parts: 1 });
      expect(parts.length).toBeGreaterThan(1);
      expect(parts.map(({ id, part }) => [id, part])).toEqual(parts.map((_, n) => [big.id, n + 1]));
      expect(new Set(parts.map((line) => line.parts))).toEqual(new Set([parts.length]));
    }
    expect(told.find(({ sink }) => sink === 'siem').event).toMatch(/^<\d+>1 /);
  });

  it('shows every sink under its name, or one alone', async () => {
    const config = aConfig(TWO_SINKS);
    const input = JSON.stringify(anAlert());
    const all = await preview({ config, input: '-' }, { input });
    expect(all.output).toMatch(/^# console\nCEF:0\|.*\n# siem\n<\d+>1 .*\n$/);
    const one = await preview({ config, input: '-', sink: 'siem' }, { input });
    expect(one.output).toMatch(/^<\d+>1 .*\n$/);
    const read = await preview({ config, input: '-', sink: 'siem' }, { input, terminal: true });
    expect(stripVTControlCharacters(read.output)).toMatch(/^# siem\n</);
  });

  it('shows a sink only what it matches', async () => {
    const config = aConfig(`${TWO_SINKS}    match: { severity: [high] }\n`);
    const input = ['low', 'high'].map((severity) => JSON.stringify(anAlert({ severity }))).join('\n');
    const { output } = await preview({ config, input: '-' }, { input });
    expect(output).toMatch(/^# console\nCEF:0\|.*\nCEF:0\|.*\n# siem\n<\d+>1 .*\n$/);
  });

  it('says so when nothing matches', async () => {
    const config = aConfig(`${TWO_SINKS}    match: { severity: [high] }\n`);
    const { output, errors } = await preview(
      { config, input: '-' },
      { input: JSON.stringify(anAlert({ severity: 'low' })) },
    );
    expect(output).toMatch(/^# console\nCEF:0\|.*\n$/);
    expect(errors).toBe('sink siem: its match leaves out all that there is: nothing to show\n');
  });

  it('numbers the events on, as a sink would', async () => {
    const input = [1, 2, 3].map((n) => JSON.stringify(anAlert({ id: `a${n}` }))).join('\n');
    const { output } = await preview({ input: '-' }, { input });
    expect([...output.matchAll(/cn3Label=sequence cn3=(\d+)/g)].map(([, n]) => n)).toEqual(['1', '2', '3']);
  });

  it('says which sinks there are when there is none of that name', async () => {
    const wrong = preview({ input: '-', sink: 'simm', config: aConfig(TWO_SINKS) }, { input: '{}' });
    await expect(wrong).rejects.toThrow(UsageError);
    await expect(wrong).rejects.toThrow(
      '--sink simm: there is no such sink in the config; it has console, siem',
    );
  });

  it.each([
    ['an alert that has an id and nothing else', '{"id":"x"}'],
    ['fields of the wrong kinds', '{"id":7,"title":{},"severity":[],"evidence":"x","createdDateTime":false}'],
    [
      'text that would forge a line',
      JSON.stringify(anAlert({ title: 'a\nCEF:0|forged\r\n<13>1', id: 'x y=z|' })),
    ],
    ['a thousand levels', `{"id":"deep","evidence":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['a title of a megabyte', JSON.stringify(anAlert({ title: 'é'.repeat(500_000) }))],
  ])('S6: shows one line for %s', async (_, input) => {
    const { exitCode, output } = await preview({ input: '-' }, { input });
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^CEF:0\|[^\r\n]*\n$/);
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(8001);
  });

  it('shows no more alerts than it was asked for', async () => {
    const input = JSON.stringify([1, 2, 3].map((n) => anAlert({ id: `a${n}` })));
    const { output, errors } = await preview({ input: '-', limit: 2 }, { input });
    expect(output.match(/externalId=\S+/g)).toEqual(['externalId=a1', 'externalId=a2']);
    expect(errors).toBe('showed 2 of 3 alerts; --limit N shows more\n');
    expect((await preview({ input: '-', limit: 3 }, { input })).errors).toBe('');
  });

  it('says so when there is nothing to show', async () => {
    const { exitCode, output, errors } = await preview({ input: '-' }, { input: '{"value":[]}' });
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: '' });
    expect(errors).toBe('standard input: has no alerts: nothing to show\n');
  });

  it.each([
    [
      'an error of Graph',
      '{"error":{"code":"Forbidden","message":"No."}}',
      /^standard input: is an error .*No\./,
    ],
    ['an object', '{"alerts":[]}', /^standard input: is no alert: .* Expected an alert as /],
    ['elements', '[{},{"value":[]}]', /^standard input: element 0: is no alert: /],
    ['lines', '{"a":1}\n{"b":2}', /^standard input:1: is no alert: /],
  ])('refuses %s without any alert, and says what it wants', async (_, input, message) => {
    await expect(preview({ input: '-' }, { input })).rejects.toThrow(UsageError);
    await expect(preview({ input: '-' }, { input })).rejects.toThrow(message);
  });

  it('leaves out what is no alert among alerts, and says where it stood', async () => {
    const input = JSON.stringify([anAlert({ id: 'a' }), {}, { error: {} }, {}]);
    const { exitCode, output, errors } = await preview({ input: '-', limit: 1 }, { input });
    expect(exitCode).toBe(0);
    expect(output.match(/externalId=\S+/g)).toEqual(['externalId=a']);
    expect(errors).toMatch(/^standard input: element 1: is no alert: .*; it is left out; so are 2 more\n$/);
  });

  /** A config that reads from a Graph of the test. */
  const readingFrom = (origin: string, ca: string | undefined) => {
    process.env.PREVIEW_TEST_SECRET = 'canary-secret';
    onTestFinished(() => void delete process.env.PREVIEW_TEST_SECRET);
    return aConfig(`tenants:
  - name: contoso
    tenantId: ${TENANT_ID}
    graphEndpoint: ${origin}
    authorityHost: ${origin}
    ca: ${ca}
    credential: { type: client-secret, clientId: ${TENANT_ID}, clientSecret: '\${env:PREVIEW_TEST_SECRET}' }
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
${TWO_SINKS}`);
  };

  it('reads from Graph, and shows no more than it was asked for', async () => {
    const value = [1, 2, 3].map((n) => anAlert({ id: `a${n}` }));
    const { origin, settings } = await scriptGraph({ graph: () => ({ body: { value } }) });
    const config = readingFrom(origin, settings.ca);
    const { exitCode, output, errors } = await preview({ config, sink: 'console', limit: 2 });
    expect(exitCode).toBe(0);
    expect(output.match(/externalId=\S+/g)).toEqual(['externalId=a1', 'externalId=a2']);
    expect(errors).toContain('showed the first 2 alerts; --limit N shows more, if there are more\n');
  });

  it('says so when Graph has nothing to show', async () => {
    const { origin, settings } = await scriptGraph({ graph: () => ({ body: { value: [] } }) });
    const config = readingFrom(origin, settings.ca);
    const { exitCode, output, errors } = await preview({ config });
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: '' });
    expect(errors).toBe('Graph has no alerts as new as startFrom asks for: nothing to show\n');
  });

  it('gives up after a few tries where Graph does not work, and says why', async () => {
    const { origin, settings, graphAsked } = await scriptGraph({
      graph: () => graphError(503, 'UnknownError', 'Try later.'),
    });
    const given = preview({ config: readingFrom(origin, settings.ca) });
    await expect(given).rejects.toThrow(/^Graph answers HTTP 503.*Try later\./);
    await expect(given).rejects.toThrow(UnavailableError);
    expect(graphAsked.length).toBeLessThan(10);
  });
});
