import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { showCommand } from '../../src/cli/show.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { testFolder } from '../support/folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/config');
const canary = 'canary-7f3a9c';
const guid = '11111111-2222-3333-4444-555555555555';

async function show(config: string, { json = false, env = {} }: { json?: boolean; env?: object } = {}) {
  const stdout = new PassThrough();
  const exitCode = await showCommand({ config, json }, { stdout, env: { ...env } });
  return { exitCode, output: String(stdout.read()) };
}

/** A config of which a test says only what it is about. */
function aConfig(text: string): string {
  const file = join(testFolder(), 'relay.yaml');
  writeFileSync(file, text);
  return file;
}

const sinkOf = async (settings: string) => {
  const { output } = await show(aConfig(`sinks: [{ name: siem, ${settings} }]`), { json: true });
  return JSON.parse(output).sinks[0];
};

describe('show', () => {
  it('fills in all defaults, in the words of a config file', async () => {
    const { exitCode, output } = await show(join(fixtures, 'good-minimal.yaml'));
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^# What ".*good-minimal\.yaml" comes to\./);
    expect(parse(output)).toMatchObject({
      state: { directory: join(fixtures, 'state'), maxBytes: '2GiB', retention: '7d' },
      tenants: [{ cloud: 'global', requestsPerMinute: 140, credential: { type: 'client-secret' } }],
      sources: [{ every: '30s', sweep: { every: '1h', window: '24h' }, updates: 'all' }],
      sinks: [
        {
          port: 514,
          framing: 'lf',
          confirm: { by: 'close', every: '5s' },
          format: { type: 'cef', profile: 'defender' },
          maxEventBytes: 8000,
          delivery: { retry: { initial: '1s', max: '5m' } },
        },
      ],
      server: { listen: '127.0.0.1:9464' },
      log: { level: 'info' },
    });
  });

  it('says the same as JSON', async () => {
    const config = join(fixtures, 'good-full.yaml');
    const { output } = await show(config, { json: true });
    expect(JSON.parse(output)).toEqual(parse((await show(config)).output, { schema: 'core' }));
  });

  it.each(readdirSync(fixtures).filter((name) => name.startsWith('good-')))(
    'asks for no secret, and shows none that is there: %s',
    async (name) => {
      const env = { GRAPH_SECRET: canary, CLIENT_ID: guid, REGION: 'eu', PORT: '6514' };
      for (const json of [false, true]) {
        const without = await show(join(fixtures, name), { json });
        const { output } = await show(join(fixtures, name), { json, env });
        for (const secret of [canary, 'from-a-file']) expect(output).not.toContain(secret);
        expect(output.includes('***"')).toBe(without.output.includes('***"'));
      }
    },
  );

  it('shows no secret that came into a text by mistake either', async () => {
    const config = aConfig(`
tenants:
  - name: contoso
    tenantId: ${guid}
    credential: { type: client-secret, clientId: ${guid}, clientSecret: '\${env:ONE}' }
sources: []
sinks: [{ name: siem, type: syslog, host: 'x-\${env:ONE}.example' }]
`);
    const { output } = await show(config, { env: { ONE: canary } });
    expect(output).toContain('host: x-***.example');
    expect(output).not.toContain(canary);
  });

  it('resolves what is no secret, and shows as written what cannot be resolved', async () => {
    const config = aConfig(
      `sinks: [{ name: siem, type: syslog, host: '\${env:HOST}', transport: tls, tls: { ca: ca.pem } }]`,
    );
    expect((await show(config, { env: { HOST: 'siem.example' } })).output).toContain('host: siem.example');
    const { output } = await show(config);
    expect(output).toContain(`host: \${env:HOST}`);
    expect(output).toContain('ca: ca.pem');
  });

  it.each([
    ['type: syslog, host: a, transport: tls', { port: 6514, framing: 'octet-counting', maxEventBytes: 8000 }],
    ['type: syslog, host: a, transport: udp', { port: 514, maxEventBytes: 2048, confirm: { by: 'none' } }],
    ['type: syslog, hosts: ["a:1", b]', { hosts: ['a:1', 'b'], port: 514 }],
    ['type: syslog, host: a, port: 1, framing: lf, confirm: { by: delay }', { port: 1, framing: 'lf' }],
    ['type: stdout, maxEventBytes: 4096', { maxEventBytes: 4096 }],
  ])('says what follows from other settings: %s', async (settings, expected) => {
    expect(await sinkOf(settings)).toMatchObject(expected);
  });

  it('says nothing that has no meaning by the other settings', async () => {
    expect(await sinkOf('type: syslog, host: a, transport: udp')).not.toHaveProperty('framing');
    expect(await sinkOf('type: syslog, hosts: ["a:1"]')).not.toHaveProperty('port');
  });

  it('tells what is wrong with a bad config instead', async () => {
    await expect(show(join(fixtures, 'bad-port.yaml'))).rejects.toThrow(ConfigError);
  });
});
