import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { type ClientCertificate, encryptKey, makeClientCertificate } from '../support/client-certificate.ts';
import { testFolder } from '../support/folder.ts';

const guid = '11111111-2222-3333-4444-555555555555';
const canary = 'canary-7f3a9c';
const end = new Date('2031-02-03T00:00:00Z');

let mine: ClientCertificate;
beforeAll(async () => {
  mine = await makeClientCertificate(end);
});

let folder: string;
beforeEach(() => {
  folder = testFolder();
});
const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });

/** Loads a config of one tenant with these settings, given as YAML in one line. */
function load(settings: string, options: LoadOptions<'tenants'> = {}, more = '') {
  write('relay.yaml', `tenants: [{ name: contoso, tenantId: ${guid}, ${settings} }]\n${more}`);
  const { config, warnings } = loadConfig(join(folder, 'relay.yaml'), {
    needs: ['tenants'],
    env: {},
    now: () => end.getTime() - 1,
    ...options,
  });
  return { tenant: config.tenants[0], warnings };
}

/** What is wrong, without the place in the file. */
function refused(settings: string, options: LoadOptions<'tenants'> = {}, more = ''): string[] {
  try {
    load(settings, options, more);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain(canary);
    return error.problems.map(({ path, message, hint }) =>
      `${path}: ${hint === undefined ? message : `${message}; ${hint}`}`.replaceAll(`${folder}/`, ''),
    );
  }
  return expect.fail('the config was taken');
}

const secret = `credential: { type: client-secret, clientId: ${guid}, clientSecret: '\${env:SECRET}'`;
const env = { SECRET: canary };

describe('two tenants of one app', () => {
  const other = '99999999-2222-3333-4444-555555555555';
  const tenant = (name: string, clientId: string, more = '') => {
    const credential = `{ type: client-secret, clientId: ${clientId}, clientSecret: '\${env:SECRET}' }`;
    return `{ name: ${name}, tenantId: ${guid}, credential: ${credential} ${more} }`;
  };
  const warningsFor = (...tenants: string[]) => {
    write('relay.yaml', `tenants:\n${tenants.map((each) => `  - ${each}\n`).join('')}`);
    return loadConfig(join(folder, 'relay.yaml'), { needs: ['tenants'], env }).warnings;
  };

  it('R7: are warned of, because they have one quota', () => {
    const warnings = warningsFor(tenant('a', other), tenant('b', guid), tenant('c', guid.toUpperCase()));
    expect(warnings).toMatchObject([
      {
        line: 4,
        path: 'tenants[2].credential.clientId',
        message: 'the same app in the same tenant as tenants[1]: Microsoft counts their requests together',
        hint: 'make them one, or set requestsPerMinute of each to 70',
      },
    ]);
  });

  it('are fine when they share the quota out', () => {
    const less = ', requestsPerMinute: 70';
    expect(warningsFor(tenant('a', guid, less), tenant('b', guid, less))).toEqual([]);
  });
});

describe('client-certificate', () => {
  const settings = (more = '') =>
    `credential: { type: client-certificate, clientId: ${guid}, certificate: app.pem ${more} }`;
  const refusal = (pem: string, more?: string, options?: LoadOptions<'tenants'>) => {
    write('app.pem', pem);
    return refused(settings(more), options);
  };

  it('is taken from beside the config', () => {
    write('app.pem', mine.cert + mine.key);
    const { tenant, warnings } = load(settings());
    expect(tenant?.credential).toEqual({
      type: 'client-certificate',
      clientId: guid,
      certificate: join(folder, 'app.pem'),
    });
    expect(warnings).toEqual([]);
  });

  it('S12: is refused when it has expired, and a running relay is warned only', () => {
    const message =
      'the certificate in app.pem expired on 2031-02-03; make a new one, and upload it to the app registration before it is used';
    const now = () => end.getTime();
    expect(refusal(mine.cert + mine.key, '', { now })).toEqual([
      `tenants[0].credential.certificate: ${message}`,
    ]);
    const { warnings } = load(settings(), { now, mayExpire: true });
    expect(warnings).toMatchObject([
      { line: 1, path: 'tenants[0].credential.certificate', message: expect.stringContaining('expired on') },
    ]);
  });

  it('says what is wrong', async () => {
    const other = await makeClientCertificate();
    const setting = 'tenants[0].credential.certificate:';
    expect(refused(settings())).toEqual([`${setting} file app.pem does not exist`]);
    expect(refusal('0\x82 a PFX')).toEqual([`${setting} file app.pem has no certificate in PEM form`]);
    expect(refusal(mine.cert)).toEqual([
      `${setting} file app.pem has no private key; put key and certificate into one PEM file`,
    ]);
    expect(refusal(other.cert + mine.key)).toEqual([
      `${setting} file app.pem has a private key that belongs to none of its certificates`,
    ]);
  });

  it('says what is wrong with the password, and not what it is', () => {
    const pem = mine.cert + encryptKey(mine.key, 'other');
    const setting = 'tenants[0].credential.password:';
    expect(refusal(pem)).toEqual([`${setting} missing: the private key is encrypted`]);
    expect(refusal(pem, `, password: '\${env:SECRET}'`, { env })).toEqual([
      `${setting} does not open the private key`,
    ]);
    expect(refusal(pem, `, password: ${canary}`)).toEqual([
      `${setting} a secret must not stand in the config; write \${env:NAME} or \${file:PATH}, and nothing else`,
    ]);
  });

  it('is told together with what is wrong elsewhere', () => {
    write('app.pem', mine.cert);
    expect(refused(settings(), {}, 'sinks: [{ name: a, type: kafka }]')).toHaveLength(2);
  });

  it('is not asked for by who does not need it', () => {
    write(
      'relay.yaml',
      `tenants: [{ name: contoso, tenantId: ${guid}, ${settings()} }]\nsinks: [{ name: a, type: stdout }]`,
    );
    expect(() => loadConfig(join(folder, 'relay.yaml'), { needs: ['sinks'] })).not.toThrow();
  });
});

describe('workload-identity', () => {
  it('takes what Kubernetes tells', () => {
    write('token', 'a.b.c');
    const found = { AZURE_CLIENT_ID: guid, AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token') };
    const { tenant } = load('credential: { type: workload-identity }', { env: found });
    expect(tenant?.credential).toEqual({
      type: 'workload-identity',
      clientId: guid,
      tokenFile: join(folder, 'token'),
    });
  });

  it('says what Kubernetes has not told, and where', () => {
    expect(refused('credential: { type: workload-identity }')).toEqual([
      'tenants[0].credential.clientId: environment variable AZURE_CLIENT_ID is not set',
      'tenants[0].credential.tokenFile: environment variable AZURE_FEDERATED_TOKEN_FILE is not set',
    ]);
    expect(refused(`credential: { type: workload-identity, clientId: ${guid}, tokenFile: none }`)).toEqual([
      'tenants[0].credential.tokenFile: file none does not exist',
    ]);
  });
});

describe('the other ways to sign in', () => {
  it.each([
    ['credential: { type: managed-identity }', { type: 'managed-identity' }],
    [
      `credential: { type: managed-identity, clientId: ${guid} }`,
      { type: 'managed-identity', clientId: guid },
    ],
    ['credential: { type: azure-cli }', { type: 'azure-cli' }],
  ])('%s', (settings, credential) => {
    expect(load(settings).tenant?.credential).toEqual(credential);
  });

  it('have no settings of each other', () => {
    expect(refused(`credential: { type: azure-cli, clientId: ${guid} }`)).toEqual([
      'tenants[0].credential.clientId: unknown key "clientId"; there is type',
    ]);
  });
});

describe('expires', () => {
  it.each([
    ['2027-03-01', '2027-03-01T00:00:00Z'],
    ['2027-03-01T12:30:00Z', '2027-03-01T12:30:00Z'],
  ])('is a date: %s', (text, expected) => {
    const { tenant } = load(`${secret}, expires: '${text}' }`, { env });
    expect(tenant?.credential).toMatchObject({ expires: Date.parse(expected) });
  });

  it.each(['soon', '2027-13-01', '01.03.2027', '2027'])('is not %s', (text) => {
    expect(refused(`${secret}, expires: '${text}' }`, { env })).toEqual([
      'tenants[0].credential.expires: expected a date such as "2027-03-01"',
    ]);
  });
});

describe('proxy', () => {
  it('is an address, with who we are beside it', () => {
    const login = `proxyLogin: { user: relay, password: '\${env:SECRET}' }`;
    const { tenant } = load(`proxy: 'http://proxy:3128/', ${login}, ${secret} }`, { env });
    expect(tenant?.proxy).toBe('http://proxy:3128');
    expect(tenant?.proxyLogin?.password.reveal()).toBe(canary);
    expect(JSON.stringify(tenant)).not.toContain(canary);
  });

  it.each(['proxy:3128', 'socks5://proxy:1080', 'http://proxy:3128/path', 'http://'])(
    'is not %s',
    (address) => {
      expect(refused(`proxy: '${address}', ${secret} }`, { env })).toEqual([
        `tenants[0].proxy: expected the address of a proxy such as "http://proxy:3128", found "${address}"`,
      ]);
    },
  );

  it.each([`http://relay:${canary}@proxy:3128`, `socks5://relay:${canary}@proxy`, `relay:${canary}@proxy`])(
    'S11: has no password in it, and no message repeats one: %s',
    (address) => {
      expect(refused(`proxy: '${address}', ${secret} }`, { env })).toEqual([
        'tenants[0].proxy.password: user and password do not belong in the address; write them as proxyLogin',
      ]);
    },
  );

  it('is needed for a login', () => {
    const login = `proxyLogin: { user: relay, password: '\${env:SECRET}' }`;
    expect(refused(`${login}, ${secret} }`, { env })).toEqual([
      'tenants[0].proxyLogin: needs the "proxy" that it is for',
    ]);
  });

  it('S11: has a password that does not stand in the config', () => {
    const login = `proxyLogin: { user: relay, password: ${canary} }`;
    expect(refused(`proxy: 'http://proxy:3128', ${login}, ${secret} }`, { env })[0]).toContain(
      'tenants[0].proxyLogin.password: a secret must not stand in the config',
    );
  });
});

describe('ca', () => {
  it('is refused where it has no certificate', () => {
    write('ca.pem', mine.chain.slice(0, 200));
    expect(refused(`ca: ca.pem, ${secret} }`, { env })).toEqual([
      'tenants[0].ca: file ca.pem has a certificate that is cut off',
    ]);
  });
});

describe('cloud', () => {
  const source = 'sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]';

  it('G24: is refused where its Graph has no alerts to read', () => {
    expect(refused(`cloud: china, ${secret} }`, { env }, source)).toEqual([
      'tenants[0].cloud: expected a cloud whose Graph has security alerts, for the sources that read them, ' +
        'found "china"; Microsoft does not offer them there: leave these sources out',
    ]);
  });

  it('may be one without alerts where nobody reads them', () => {
    expect(load(`cloud: china, ${secret} }`, { env }).tenant?.cloud).toBe('china');
  });

  it.each(['global', 'usgov', 'usgov-dod'])('is %s', (cloud) => {
    expect(load(`cloud: ${cloud}, ${secret} }`, { env }, source).tenant?.cloud).toBe(cloud);
  });
});
