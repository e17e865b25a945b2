import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type PreviewFlags, previewCommand } from '../../src/cli/preview.ts';
import { UsageError } from '../../src/core/errors.ts';
import { anAlert } from '../support/records.ts';
import { aToken, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

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
    ['an object that is no alert', '{}'],
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
    const { output } = await preview({ input: '-', limit: 2 }, { input });
    expect(output.match(/externalId=\S+/g)).toEqual(['externalId=a1', 'externalId=a2']);
  });

  it('reads from Graph, and shows no more than it was asked for', async () => {
    const value = [1, 2, 3].map((n) => anAlert({ id: `a${n}` }));
    const { origin, settings } = await scriptGraph({
      graph: () => ({ body: { value } }),
      token: (_, n) => ({
        body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: aToken(n) },
      }),
    });
    const config = aConfig(`tenants:
  - name: contoso
    tenantId: ${TENANT_ID}
    graphEndpoint: ${origin}
    authorityHost: ${origin}
    ca: ${settings.ca}
    credential: { type: client-secret, clientId: ${TENANT_ID}, clientSecret: '\${env:PREVIEW_TEST_SECRET}' }
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
${TWO_SINKS}`);
    process.env.PREVIEW_TEST_SECRET = 'canary-secret';
    onTestFinished(() => void delete process.env.PREVIEW_TEST_SECRET);
    const { exitCode, output } = await preview({ config, sink: 'console', limit: 2 });
    expect(exitCode).toBe(0);
    expect(output.match(/externalId=\S+/g)).toEqual(['externalId=a1', 'externalId=a2']);
  });
});
