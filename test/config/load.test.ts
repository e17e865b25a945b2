import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { secretsOf } from '../../src/config/secrets.ts';
import { UsageError } from '../../src/core/errors.ts';
import { testFolder } from '../support/folder.ts';
import { golden } from './golden.ts';

const fixtures = join(import.meta.dirname, '../fixtures/config');
const guid = '11111111-2222-3333-4444-555555555555';
const canary = 'canary-7f3a9c';
const env = { GRAPH_SECRET: canary, CLIENT_ID: guid, REGION: 'eu', PORT: '6514' };

function problemsOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the config was taken');
}

describe('loadConfig() of a bad config', () => {
  const names = readdirSync(fixtures).flatMap((file) => /^bad-(.*)\.yaml$/.exec(file)?.[1] ?? []);

  it('has a golden line for every fixture', () => {
    expect(names.toSorted()).toEqual(Object.keys(golden).toSorted());
  });

  it.each(names)('tells what to change: %s', (name) => {
    const file = join(fixtures, `bad-${name}.yaml`);
    const { message } = problemsOf(() => loadConfig(file, { env }));
    const lines = message.split('\n').map((line) => line.replace(file, '').replaceAll(fixtures, '<folder>'));
    expect(lines).toEqual([golden[name]].flat());
    expect(message).not.toContain(canary);
  });

  it('throws a usage error with each problem in parts', () => {
    const file = join(fixtures, 'bad-typo-in-key.yaml');
    const error = problemsOf(() => loadConfig(file, { env }));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.problems).toEqual([
      {
        file,
        line: 16,
        column: 5,
        path: 'sinks[0].prot',
        message: 'unknown key "prot"',
        hint: 'did you mean "port"?',
      },
    ]);
  });
});

describe('loadConfig() of a good config', () => {
  it('warns of a journal in memory, and takes no other path for one', () => {
    const file = join(testFolder(), 'relay.yaml');
    writeFileSync(
      file,
      "state: { directory: ':memory:' }\nsinks: [{ name: f, type: file, path: ':memory:' }]\n",
    );
    const { config, warnings } = loadConfig(file, { needs: ['sinks'] });
    expect(config.state.directory).toBe(':memory:');
    expect(config.sinks[0]).toMatchObject({ path: join(dirname(file), ':memory:') });
    expect(warnings).toMatchObject([
      { line: 1, path: 'state.directory', message: expect.stringContaining('nothing that is kept outlives') },
    ]);
  });

  it('fills in the defaults', () => {
    const { config, path, warnings } = loadConfig(join(fixtures, 'good-minimal.yaml'), { env });
    expect(path).toBe(join(fixtures, 'good-minimal.yaml'));
    expect(warnings).toEqual([]);
    expect(config.state).toEqual({
      directory: join(fixtures, 'state'),
      maxBytes: 2 ** 31,
      retention: 7 * 86_400_000,
    });
    expect(config.stop.grace).toBe(10_000);
    expect(config.server.listen).toEqual({ host: '127.0.0.1', port: 9464 });
    expect(config.log.level).toBe('info');
    expect(config.sources[0]).toMatchObject({ every: 30_000, settle: 10_000, overlap: 600_000 });
    expect(config.sinks[0]).toMatchObject({
      startFrom: 'now',
      maxEventBytes: 8000,
      format: { type: 'cef', profile: 'defender' },
      delivery: {
        batchSize: 200,
        window: 10_000,
        maxInFlight: 1,
        timeout: 30_000,
        retry: { initial: 1000, max: 300_000 },
      },
    });
  });

  it('takes the format that goes with the sink, unless another one is set', () => {
    const http = (more: string) => `{ name: a, type: http, url: 'https://siem.example.com'${more} }`;
    const file = join(testFolder(), 'relay.yaml');
    writeFileSync(
      file,
      `sinks: [${http('')}, ${http(', format: { type: cef }').replace('name: a', 'name: b')}, { name: c, type: stdout }]`,
    );
    const { config, effective } = loadConfig(file, { needs: ['sinks'], env });
    const formats = ['json', 'cef', 'cef'];
    expect(config.sinks.map(({ format }) => format.type)).toEqual(formats);
    expect(config.sinks.map(({ maxEventBytes }) => maxEventBytes)).toEqual([200_000, 200_000, 8000]);
    const shown = effective() as { sinks: readonly { format: object; maxEventBytes: number }[] };
    expect(shown.sinks.map(({ format }) => format)).toEqual(config.sinks.map(({ format }) => format));
    expect(shown.sinks[0]).toMatchObject({ maxEventBytes: 200_000, auth: { type: 'none' } });
  });

  it('takes every setting', () => {
    const { config } = loadConfig(join(fixtures, 'good-full.yaml'), { env });
    expect(config.state.directory).toBe(join(fixtures, '../state'));
    expect(config.tenants[0]).toMatchObject({
      ca: join(fixtures, 'ca.pem'),
      graphEndpoint: 'https://graph.example.com',
      credential: { clientId: guid },
    });
    // Trailing line breaks of the file are cut.
    expect(secretsOf(config.tenants).map((secret) => secret.reveal())).toEqual([canary, 'from-a-file']);
    expect(config.sources[0]?.startFrom).toBe('2026-05-31T08:00:00Z');
    expect(config.sinks[0]).toMatchObject({
      host: 'eu.siem.example.com',
      port: 6514,
      format: { vendor: '007' },
    });
    expect(config.server.listen).toEqual({ host: '::1', port: 9000 });
  });

  it('takes the minimal config of the repository once its variable is set', () => {
    const file = join(import.meta.dirname, '../../config/relay.minimal.yaml');
    const { config } = loadConfig(file, { env: { GRAPH_CLIENT_SECRET: 'x' } });
    expect(config.sinks).toHaveLength(1);
  });
});

describe('loadConfig() with needs', () => {
  it('takes a config that has only what is needed', () => {
    const { config } = loadConfig(join(fixtures, 'good-sinks-only.yaml'), { needs: ['sinks'] });
    expect(config.sinks[0]).toMatchObject({ type: 'stdout', name: 'console' });
    // @ts-expect-error the compiler keeps a command from using what it did not ask for
    expect(config.tenants).toEqual([]);
  });

  it('does not ask for the secrets of other parts', () => {
    const file = join(fixtures, 'good-minimal.yaml');
    const { config } = loadConfig(file, { needs: ['sinks'], env: {} });
    expect(config.sinks[0]?.name).toBe('siem');
  });

  it.each(['typo-in-part', 'overlap', 'unknown-tenant', 'literal-secret', 'no-sinks'])(
    'checks what is there all the same: %s',
    (name) => {
      const file = join(fixtures, `bad-${name}.yaml`);
      const { message } = problemsOf(() => loadConfig(file, { needs: ['sinks'], env }));
      expect(message).toBe(`${file}${golden[name]}`);
    },
  );
});

describe('loadConfig() of a file in a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'relay-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(name: string, text: string | Uint8Array, mode = 0o600): string {
    const file = join(folder, name);
    writeFileSync(file, text, { mode });
    chmodSync(file, mode);
    return file;
  }
  const load = (text: string | Uint8Array) =>
    loadConfig(write('relay.yaml', text), {
      needs: ['sinks'],
      env: { NAME: 'siem', EMPTY: '', TRICK: `\${env:NAME}` },
    });
  const refused = (text: string | Uint8Array) =>
    problemsOf(() => load(text)).message.replaceAll(`${folder}/`, '');
  const withSecret = (reference: string) => `
tenants:
  - name: contoso
    tenantId: ${guid}
    credential: { type: client-secret, clientId: ${guid}, clientSecret: '${reference}' }
`;
  const loadSecret = (reference: string) =>
    loadConfig(write('relay.yaml', withSecret(reference)), { needs: ['tenants'], env });
  const stdout = (more: string) => `sinks: [{ name: a, type: stdout, ${more} }]`;
  const vendorOf = (vendor: string) => {
    const { format } = load(stdout(`format: { type: cef, vendor: '${vendor}' }`)).config.sinks[0]!;
    return format.type === 'cef' ? format.vendor : undefined;
  };

  it('says which places were looked at', () => {
    const places = [join(folder, 'relay.yaml'), join(folder, 'other.yaml')];
    expect(problemsOf(() => loadConfig(undefined, { places })).message).toBe(
      `${places[0]}: there is no config file: looked for ${places[0]} and ${places[1]}; ` +
        'name one with --config; config/relay.minimal.yaml is one to begin with',
    );
  });

  it('takes the first place that has one', () => {
    const file = write('other.yaml', 'sinks: [{ name: a, type: stdout }]');
    const { path } = loadConfig(undefined, { places: [join(folder, 'relay.yaml'), file], needs: ['sinks'] });
    expect(path).toBe(file);
  });

  it('says why a named file cannot be read', () => {
    const file = join(folder, 'nowhere.yaml');
    expect(problemsOf(() => loadConfig(file)).message).toBe(`${file}: does not exist`);
    expect(problemsOf(() => loadConfig(folder)).message).toBe(`${folder}: is a folder`);
  });

  it.each([
    [
      'text that is not UTF-8',
      Uint8Array.of(0xff, 0xfe, 0x73),
      'relay.yaml: not UTF-8 text; save it as UTF-8',
    ],
    [
      'a file that is no config',
      ' '.repeat(300_000),
      'relay.yaml: larger than 262144 bytes; is it a config?',
    ],
  ])('refuses %s', (_, text, line) => {
    expect(refused(text)).toBe(line);
  });

  it.skipIf(!existsSync('/dev/zero'))('does not read for ever', () => {
    expect(problemsOf(() => loadConfig('/dev/zero')).message).toBe(
      '/dev/zero: larger than 262144 bytes; is it a config?',
    );
  });

  it.each([
    ['hots', 'host'],
    ['hostss', 'hosts'],
  ])('takes the slip %s for one fault, not for a missing host too', (key, meant) => {
    expect(refused(`sinks: [{ name: a, type: syslog, port: 514, ${key}: siem }]`)).toBe(
      `relay.yaml:1:45 sinks[0].${key}: unknown key "${key}"; did you mean "${meant}"?`,
    );
  });

  it('does not go on when the whole is of a form that is not supported', () => {
    expect(refused('*all')).toBe('relay.yaml:1:1 aliases (*name) are not supported; write the value here');
    expect(refused('sinks: [{ name: a, type: *t }]')).toBe(
      'relay.yaml:1:26 sinks[0].type: aliases (*name) are not supported; write the value here',
    );
  });

  it('takes the byte order mark and line ends of Windows', () => {
    expect(load('\ufeffsinks:\r\n  - name: a\r\n    type: stdout\r\n').config.sinks[0]?.name).toBe('a');
  });

  it('takes an empty value as not set', () => {
    expect(load(`tenants:\nsources: ~\nstop:\n  grace: null\n${stdout('')}`).config.stop.grace).toBe(10_000);
  });

  describe('the host of a syslog sink', () => {
    const syslog = (host: string) => `sinks: [{ name: a, type: syslog, port: 514, host: '${host}' }]`;

    it.each(['siem', 'siem.example.com', '192.0.2.1', '::1', '2001:db8::514', 'fe80::1%eth0'])(
      'is %s',
      (host) => {
        expect(load(syslog(host)).config.sinks[0]).toMatchObject({ host });
      },
    );

    it.each([
      ['siem:514', 'expected a name or address alone; the port is a setting of its own, "port"'],
      ['192.0.2.1:514', 'expected a name or address alone; the port is a setting of its own, "port"'],
      ['[::1]:514', 'expected a name or address alone; the port is a setting of its own, "port"'],
      ['siem:', 'expected a name or address alone; the port is a setting of its own, "port"'],
      ['tcp://siem', 'expected a name or address alone, without "tcp://" or the like'],
      ['[::1]', 'expected an IPv6 address without brackets'],
      ['siem/path', 'expected a name or address'],
      ['two words', 'expected a name or address'],
      ['', 'expected a name or address'],
    ])('is not %s', (host, message) => {
      expect(refused(syslog(host))).toBe(`relay.yaml:1:51 sinks[0].host: ${message}, found "${host}"`);
    });
  });

  describe('references', () => {
    it('are replaced within a text, and once', () => {
      write('part', 'from a file\n');
      expect(vendorOf(`\${env:NAME} and \${file:part}`)).toBe('siem and from a file');
      expect(vendorOf(`\${env:TRICK}`)).toBe(`\${env:NAME}`);
    });

    it('have a way to be meant literally', () => {
      expect(vendorOf(`$\${env:NAME} $$ $x`)).toBe(`\${env:NAME} $$ $x`);
    });

    it.each([
      [`\${NAME}`, `expected \${env:NAME} or \${file:PATH}; write "$\${" for a plain "\${"`],
      [`\${env:NAME`, `expected \${env:NAME} or \${file:PATH}; write "$\${" for a plain "\${"`],
      [`\${env:a b}`, `expected the name of an environment variable in \${env:NAME}`],
      [`\${env:EMPTY}`, 'environment variable EMPTY is empty'],
      [`\${env:constructor}`, 'environment variable constructor is not set'],
      [`\${file:relay.d}`, 'relay.d is not a file'],
      [`\${file:binary}`, 'file binary is not UTF-8 text; save it as UTF-8'],
      [`\${file:large}`, 'file large is larger than 65536 bytes'],
    ])('that lead nowhere are told: %s', (reference, message) => {
      mkdirSync(join(folder, 'relay.d'));
      write('binary', Uint8Array.of(0xff, 0xfe, 0x73, 0));
      write('large', 'x'.repeat(65_537));
      expect(refused(stdout(`format: { type: cef, vendor: '${reference}' }`))).toBe(
        `relay.yaml:1:63 sinks[0].format.vendor: ${message}`,
      );
    });

    it('do not show what they stand for when it is wrong', () => {
      expect(refused(`server: { listen: '\${env:NAME}' }\n${stdout('')}`)).not.toContain('siem');
    });

    it.skipIf(process.getuid?.() === 0)('tell a file that may not be read', () => {
      write('locked', 'x', 0o000);
      expect(refused(stdout(`format: { type: cef, vendor: '\${file:locked}' }`))).toContain(
        'file locked may not be read by this user',
      );
    });
  });

  describe('secrets', () => {
    it('are read from a file beside the config', () => {
      write('secret', `${canary}\r\n`);
      const { config, warnings } = loadSecret(`\${file:secret}`);
      expect(secretsOf(config.tenants)[0]?.reveal()).toBe(canary);
      expect(warnings).toEqual([]);
    });

    it('change with their file, and are kept while there is nothing in it', () => {
      write('secret', canary);
      const time = { now: 0 };
      const { config } = loadConfig(write('relay.yaml', withSecret(`\${file:secret}`)), {
        needs: ['tenants'],
        env,
        reread: { clock: () => time.now },
      });
      const [secret] = secretsOf(config);
      write('secret', 'canary-second\n');
      expect(secret?.reveal()).toBe(canary);
      time.now += 30_000;
      expect(secret?.reveal()).toBe('canary-second');
      write('secret', '\n');
      time.now += 30_000;
      expect(secret?.reveal()).toBe('canary-second');
      expect(secret?.trouble).toBe(`file ${join(folder, 'secret')} is empty`);
      expect(secret?.revealAll()).toEqual(['canary-second', canary]);
    });

    it('that everybody may change are warned of', () => {
      const file = write('secret', canary, 0o666);
      expect(loadSecret(`\${file:secret}`).warnings).toEqual([
        {
          file: join(folder, 'relay.yaml'),
          line: 5,
          column: 102,
          path: 'tenants[0].credential.clientSecret',
          message: `every user of this machine can change ${file}`,
          hint: 'take that away with chmod o-w',
        },
      ]);
    });

    it.each([0o400, 0o444, 0o644])('as containers get them are not warned of: mode %o', (mode) => {
      write('secret', canary, mode);
      expect(loadSecret(`\${file:secret}`).warnings).toEqual([]);
    });

    it.each([
      `x\${env:GRAPH_SECRET}`,
      `\${env:GRAPH_SECRET} `,
      `$\${env:GRAPH_SECRET}`,
      `\${env:A}\${env:B}`,
      '12345678',
    ])('are one reference and nothing else: %s', (value) => {
      const { problems } = problemsOf(() => loadSecret(value));
      expect(problems.map(({ message }) => message)).toEqual(['a secret must not stand in the config']);
    });
  });

  it('S11: a secret is in no message, dump or argument', () => {
    const { config } = loadSecret(`\${env:GRAPH_SECRET}`);
    expect(secretsOf(config).map((secret) => secret.reveal())).toEqual([canary]);

    const wrong = [
      withSecret(canary),
      withSecret(`\${env:GRAPH_SECRET}`).replace('clientId: ', `clientId: ${canary}`),
      withSecret(`\${env:GRAPH_SECRET}`).replace(`clientId: ${guid}`, `clientId: "\${env:GRAPH_SECRET}"`),
      withSecret(`\${env:GRAPH_SECRET}`).replace(guid, `"\${env:GRAPH_SECRET}"`),
      withSecret(`\${env:GRAPH_SECRET}`).replace('clientSecret: ', `clientSecret:${canary}`),
      withSecret(canary).replace('client-secret', 'client-secrets'),
      withSecret(canary).replace('clientSecret', 'clientSecrte'),
      `tenants:\n  - name: contoso\n    credential:\n      clientSecret: "${canary}\n`,
      `tenants:\n  - name: contoso\n    credential:\n      clientSecret: ${canary}: x\n`,
      `tenants:\n  - name: contoso\n    credential:\n\tclientSecret: ${canary}\n`,
      `tenants:\n  - name: contoso\n    credential:\n      clientSecret: !x ${canary}\n`,
      `tenants:\n  - name: contoso\n    credential: ${canary}\n      clientSecret: *${canary}\n`,
    ].map((text) => problemsOf(() => loadConfig(write('relay.yaml', text), { needs: ['tenants'], env })));
    const shown = [config, ...wrong].flatMap((thing) => [
      JSON.stringify(thing),
      inspect(thing, { depth: null, showHidden: true }),
      inspect(thing, { depth: null, showHidden: true, customInspect: false }),
      `${thing instanceof Error ? thing.stack : thing}`,
      `${secretsOf(thing)}`,
    ]);
    for (const text of [...shown, ...process.argv, ...process.execArgv, process.title])
      expect(text).not.toContain(canary);
  });

  it('shows of what was found nothing that a terminal would obey, and not all of it', () => {
    const line = refused(stdout(`startFrom: "\\e[2J\\x9b2J${'x'.repeat(1000)}"`));
    expect(line).toBe(
      `relay.yaml:1:45 sinks[0].startFrom: expected now or journal, found "\\u001b[2J?2J${'x'.repeat(33)}…"`,
    );
  });

  it('refuses keys that are names of JavaScript objects', () => {
    expect(refused(`__proto__: { a: 1 }\nconstructor: x\n${stdout('')}`).split('\n')).toEqual([
      expect.stringContaining('relay.yaml:1:1 ?: unknown key; there is state,'),
      expect.stringContaining('relay.yaml:2:1 constructor: unknown key "constructor"; there is state,'),
    ]);
  });

  it('lists a hundred problems and counts the rest', () => {
    const lines = refused('sinks: [a]\n'.repeat(150)).split('\n');
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('relay.yaml: and 50 more');
  });
});
