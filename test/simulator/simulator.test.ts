import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type Simulator,
  type SimulatorOptions,
  startSimulator,
  writeSimulatorFiles,
} from '../../src/simulator/index.ts';
import { ALERTS, type AlertBody, Client } from './client.ts';

const opened: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

/** A simulator and a client that is signed in. Without other orders nothing is raised. */
async function start(options: SimulatorOptions = {}): Promise<{ simulator: Simulator; client: Client }> {
  const simulator = await startSimulator({ seed: 1, alerts: 0, ...options });
  const client = new Client(simulator);
  opened.push(simulator, client);
  await client.signIn();
  return { simulator, client };
}

/** A clock that a test moves. */
function aClock() {
  let nowMs = Date.now();
  return {
    clock: () => nowMs,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

const revisions = (alerts: readonly AlertBody[]) =>
  new Map(alerts.map(({ id, lastUpdateDateTime }) => [id, lastUpdateDateTime]));

describe('the token endpoint', () => {
  it('tells where it is', async () => {
    const { simulator, client } = await start();
    const path = `/${simulator.tenantId}/v2.0/.well-known/openid-configuration`;
    expect(JSON.parse((await client.send(path)).body)).toMatchObject({
      token_endpoint: `${simulator.url}/${simulator.tenantId}/oauth2/v2.0/token`,
    });
  });

  it('gives any tenant a token whose claims can be read', async () => {
    const { simulator, client } = await start();
    const tenant = '11111111-2222-4333-8444-555555555555';
    const answer = JSON.parse((await client.askToken({ tenant })).body) as Record<string, string>;
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 3599 });
    const parts = String(answer.access_token).split('.');
    expect(parts).toHaveLength(3);
    expect(JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString())).toMatchObject({
      aud: simulator.url,
      tid: tenant,
      roles: ['SecurityAlert.Read.All'],
    });
  });

  it.each([
    ['a tenant that is none', { tenant: 'contosoo.onmicrosoft.com' }, 400, 90002],
    ['no grant type', { form: { grant_type: undefined } }, 400, 900144],
    ['another grant', { form: { grant_type: 'password' } }, 400, 70003],
    ['an unknown app', { form: { client_id: 'somebody' } }, 400, 700016],
    ['no secret', { form: { client_secret: undefined } }, 401, 7000218],
    ['a wrong secret', { form: { client_secret: 'guess' } }, 401, 7000215],
    ['a scope of another resource', { form: { scope: 'https://graph.microsoft.com/.default' } }, 400, 70011],
  ])('refuses %s as Entra does', async (_, wrong, status, code) => {
    const { client } = await start();
    const answer = await client.askToken(wrong);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({
      error_codes: [code],
      error_description: expect.stringMatching(`^AADSTS${code}: .* Trace ID: `),
    });
    expect(answer.body).not.toContain('guess');
  });
});

describe('a request to Graph', () => {
  it('needs a token that is known and not too old', async () => {
    const { clock, wait } = aClock();
    const { client } = await start({ clock, tokenSeconds: 60 });
    expect((await client.get(ALERTS)).status).toBe(200);
    expect((await client.get(ALERTS, { Authorization: 'Bearer no-dots' })).body).toContain('IDX14100');
    expect((await client.get(ALERTS, { Authorization: '' })).status).toBe(401);
    wait(61_000);
    const late = await client.get(ALERTS);
    expect(late.status).toBe(401);
    expect(late.headers['www-authenticate']).toContain('Bearer');
    expect(JSON.parse(late.body)).toMatchObject({ error: { code: 'InvalidAuthenticationToken' } });
  });

  it('G28: needs the role, and consent shows only in a new token', async () => {
    const { simulator, client } = await start({ roles: [] });
    const refused = await client.get(ALERTS);
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('Missing application roles. API required roles: SecurityAlert.Read.All');
    simulator.setRoles(['SecurityAlert.Read.All']);
    expect((await client.get(ALERTS)).status).toBe(403);
    await client.signIn();
    expect((await client.get(ALERTS)).status).toBe(200);
  });

  it('is answered with the date and the ids that support asks for, errors too', async () => {
    const { clock } = aClock();
    const { client } = await start({ clock });
    const answer = await client.get(`${ALERTS}?$top=0`, { 'client-request-id': 'mine' });
    expect(answer.headers).toMatchObject({
      date: new Date(clock()).toUTCString(),
      'client-request-id': 'mine',
      'request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { code: 'BadRequest', innerError: { 'client-request-id': 'mine' } },
    });
  });

  it.each([
    ['$orderby=lastUpdateDateTime asc'],
    ['$select=id'],
    ['$expand=evidence'],
    ['$search="x"'],
    ['filter=x'],
    ['$top=0'],
    ['$top=ten'],
    ['$skip=501'],
    ['$skip=-1'],
    ['$count=yes'],
    ['$top=1&$top=2'],
    ["$filter=title eq 'x'"],
    ['$skiptoken=made-up'],
  ])('is refused with %s', async (query) => {
    const { client } = await start();
    const answer = await client.get(encodeURI(`${ALERTS}?${query}`));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'BadRequest' } });
  });

  it('is refused where there is nothing, and with another method', async () => {
    const { client } = await start();
    expect((await client.get('/v1.0/security/alerts')).status).toBe(404);
    expect((await client.get(`${ALERTS}/nobody`)).body).toContain('ResourceNotFound');
    expect((await client.get(`${ALERTS}/%E0%A4%A`)).status).toBe(400);
    expect((await client.get('/beta/security/alerts_v2')).status).toBe(404);
    const token = await client.signIn();
    const headers = { Authorization: `Bearer ${token}` };
    expect((await client.send(ALERTS, { method: 'POST', headers })).status).toBe(405);
  });

  it('beyond 150 a minute is throttled, and those that are count too', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock });
    const statuses: number[] = [];
    for (let n = 0; n < 151; n++) statuses.push((await client.get(`${ALERTS}?$top=1`)).status);
    expect(statuses).toEqual([...Array(150).fill(200), 429]);
    wait(30_000);
    const refused = await client.get(ALERTS);
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '30' } });
    wait(31_000);
    expect((await client.get(ALERTS)).status).toBe(200);
    expect(simulator.account.throttled).toBe(2);
  });

  it('is not throttled with the quota off', async () => {
    const { client } = await start({ quota: false });
    for (let n = 0; n < 151; n++) expect((await client.get(`${ALERTS}?$top=1`)).status).toBe(200);
  });
});

describe('a reading', () => {
  const times = (alerts: readonly AlertBody[]) =>
    alerts.map(({ lastUpdateDateTime }) => Date.parse(lastUpdateDateTime));

  it('by next links gives all exactly once, newest first, while nothing happens', async () => {
    const { simulator, client } = await start({ alerts: 25, rate: 0, historyMs: 60_000 });
    const all = await client.read(`${ALERTS}?$top=10`);
    expect(all).toHaveLength(25);
    expect(revisions(all)).toEqual(simulator.account.newest());
    expect(times(all)).toEqual(times(all).toSorted((a, b) => b - a));
  });

  it('sees rows again that move down, when others are raised in front of them', async () => {
    const { simulator, client } = await start({ alerts: 25, rate: 0, historyMs: 60_000 });
    const first = await client.page(`${ALERTS}?$top=10&$count=true`);
    simulator.raise(7);
    const second = await client.page(first['@odata.nextLink'] ?? '');
    expect([first, second].map((page) => page['@odata.count'])).toEqual([25, 32]);
    expect(second.value.slice(0, 7)).toEqual(first.value.slice(3));
  });

  it('G27: of a closed window misses a row when one that it has had leaves', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, backlog: 25, backlogSpanMs: 60_000 });
    const filter = `lastUpdateDateTime lt ${new Date(clock()).toISOString()}`;
    const window = encodeURI(`${ALERTS}?$filter=${filter}&$count=true&$top=10`);
    const whole = await client.read(window);
    const first = await client.page(window);
    wait(1_000);
    simulator.update(first.value.slice(0, 1).map(({ id }) => id));
    const rest = await client.read(first['@odata.nextLink'] ?? '');
    const had = new Set([...first.value, ...rest].map(({ id }) => id));
    expect(had.size).toBe(24);
    expect(had).not.toContain(whole[10]?.id);
  });

  it.each(['oldest', 'random'] as const)('can be asked to be served in another order: %s', async (order) => {
    const { simulator, client } = await start({ order, backlog: 40 });
    const all = await client.read(`${ALERTS}?$top=7`);
    expect(revisions(all)).toEqual(simulator.account.newest());
    expect(await client.read(`${ALERTS}?$top=9`)).toEqual(all);
    const sorted = times(all).toSorted((a, b) => a - b);
    if (order === 'oldest') expect(times(all)).toEqual(sorted);
    else {
      expect(times(all)).not.toEqual(sorted);
      expect(times(all)).not.toEqual(sorted.reverse());
    }
  });

  it('G6: has no more rows on a page than Graph gives, whatever is asked for', async () => {
    const { client } = await start({ backlog: 30, maxTop: 20 });
    expect((await client.page(`${ALERTS}?$top=5000`)).value).toHaveLength(20);
    expect(await client.read(`${ALERTS}?$top=5000`)).toHaveLength(30);
  });

  it('is split by createdDateTime and serviceSource, with the count of all that match', async () => {
    const { simulator, client } = await start({ backlog: 200, backlogSpanMs: 60_000 });
    const [first, middle] = [simulator.account.raised[0], simulator.account.raised[100]];
    const sources = ['microsoftDefenderForEndpoint', 'microsoftSentinel'];
    const either = `(serviceSource eq '${sources[0]}' or serviceSource eq '${sources[1]}')`;
    const ask = (filter: string) => client.page(encodeURI(`${ALERTS}?$top=3&$count=true&$filter=${filter}`));
    const window = `lastUpdateDateTime ge ${first?.revision} and lastUpdateDateTime lt ${middle?.revision}`;
    const all = await client.read(encodeURI(`${ALERTS}?$filter=${window}`));
    const chosen = all.filter(({ serviceSource }) => sources.includes(String(serviceSource)));
    const page = await ask(`${window} and ${either}`);
    expect(page['@odata.count']).toBe(chosen.length);
    expect(page.value).toEqual(chosen.slice(0, 3));
    expect((await ask(`${window} and createdDateTime ge ${middle?.revision}`))['@odata.count']).toBe(0);
    expect((await ask(`createdDateTime lt ${middle?.revision}`))['@odata.count']).toBe(100);
  });

  it('G4: is cut by the seventh digit', async () => {
    const { simulator, client } = await start({ alerts: 5, rate: 0, historyMs: 60_000 });
    const middle = simulator.account.raised[2]?.revision;
    const filtered = (operator: string) =>
      client.read(encodeURI(`${ALERTS}?$filter=lastUpdateDateTime ${operator} ${middle}`));
    expect(await filtered('ge')).toHaveLength(3);
    expect(await filtered('gt')).toHaveLength(2);
    expect(await filtered('eq')).toHaveLength(1);
  });

  it('skips, and has pages of a hundred unless told otherwise', async () => {
    const { client } = await start({ alerts: 120, rate: 0 });
    expect((await client.page(ALERTS)).value).toHaveLength(100);
    const skipped = await client.page(`${ALERTS}?$skip=110`);
    expect(skipped.value).toHaveLength(10);
    expect(skipped).not.toHaveProperty('@odata.nextLink');
    expect(skipped).not.toHaveProperty('@odata.count');
  });

  it('has next links on the origin that was asked, good for some time', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ alerts: 3, rate: 0, clock, nextLinkMs: 5000 });
    const link = (await client.page(`${ALERTS}?$top=2`))['@odata.nextLink'] ?? '';
    expect(link).toMatch(`${simulator.url}${ALERTS}?`);
    // The same link twice is the same page: a client may have lost the first answer.
    expect((await client.page(link)).value).toHaveLength(1);
    expect((await client.page(link)).value).toHaveLength(1);
    wait(5001);
    expect((await client.get(link)).status).toBe(410);
  });

  it('G23: hides the newer enumeration members from who does not ask for them', async () => {
    const body = {
      id: 'sn1',
      createdDateTime: '2026-01-01T00:00:00Z',
      lastUpdateDateTime: '2026-01-01T00:00:00Z',
      serviceSource: 'microsoftSentinel',
      severity: 'high',
      evidence: [{ remediationStatus: 'active' }, { remediationStatus: 'blocked' }],
      additionalData: { constructor: 'microsoftSentinel' },
    };
    const { client } = await start({ input: [body] });
    const ask = async (prefer: Record<string, string>) =>
      JSON.parse((await client.get(`${ALERTS}/sn1`, prefer)).body);
    expect(await ask({ Prefer: 'include-unknown-enum-members' })).toMatchObject(body);
    expect(await ask({})).toMatchObject({
      serviceSource: 'unknownFutureValue',
      severity: 'high',
      evidence: [{ remediationStatus: 'unknownFutureValue' }, { remediationStatus: 'blocked' }],
      additionalData: { constructor: 'microsoftSentinel' },
    });
  });
});

describe('alerts', () => {
  const bodies = async (seed: number) => {
    const { client, simulator } = await start({ seed, alerts: 40, rate: 0 });
    const alerts = await client.read(ALERTS);
    const same = ({ id, title, tenantId, evidence }: AlertBody) => ({
      id,
      title,
      tenantId,
      types: types(evidence),
    });
    const byId = new Map(alerts.map((alert) => [alert.id, same(alert)]));
    return simulator.account.raised.map(({ id }) => byId.get(id));
  };
  const types = (evidence: unknown) =>
    (evidence as { '@odata.type': string }[]).map((one) => one['@odata.type']);

  it('are the same with the same seed, and others with another', async () => {
    const first = await bodies(5);
    expect(await bodies(5)).toEqual(first);
    expect(await bodies(6)).not.toEqual(first);
  });

  it('come from all product families, whole, with ids that do not repeat', async () => {
    const { client } = await start({ alerts: 800, rate: 0 });
    const alerts = await client.read(`${ALERTS}?$top=1000`);
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(800);
    expect(new Set(alerts.map(({ serviceSource }) => serviceSource))).toEqual(
      new Set([
        'microsoftDefenderForEndpoint',
        'microsoftDefenderForIdentity',
        'microsoftDefenderForCloudApps',
        'microsoftDefenderForOffice365',
        'microsoft365Defender',
        'azureAdIdentityProtection',
        'microsoftAppGovernance',
        'dataLossPrevention',
        'microsoftDefenderForCloud',
        'microsoftSentinel',
        'microsoftInsiderRiskManagement',
        'microsoftSecurityForAI',
      ]),
    );
    expect(alerts.filter(({ evidence }) => types(evidence).length < 2)).toEqual([]);
    expect(alerts.some(({ title }) => String(title).includes('\nCEF:0|'))).toBe(true);
  });

  it('are raised at their rate, stamped with their time, up to the number that was asked for', async () => {
    const { clock, wait } = aClock();
    const begin = clock();
    const { simulator } = await start({ alerts: 5, rate: 2, clock });
    expect(simulator.account.raised).toHaveLength(1);
    wait(1000);
    expect(simulator.account.raised.map(({ raisedAt }) => raisedAt - begin)).toEqual([0, 500, 1000]);
    expect(simulator.account.pending).toBe(2);
    wait(60_000);
    const stamps = simulator.account.raised.map(({ revision }) => Date.parse(revision) - begin);
    expect(stamps).toEqual([-1, 499, 999, 1499, 1999]);
    expect(simulator.account.pending).toBe(0);
  });

  it('without an end stop when told', async () => {
    const { clock, wait } = aClock();
    const { simulator } = await start({ alerts: undefined, clock });
    expect(simulator.account.pending).toBe(Infinity);
    simulator.stopRaising();
    wait(60_000);
    expect(simulator.account.raised).toHaveLength(1);
    expect(simulator.account.pending).toBe(0);
    simulator.raise(2);
    expect(simulator.account.newest().size).toBe(3);
  });

  it('of a backlog lie behind the start, some of them with one and the same time', async () => {
    const { clock } = aClock();
    const options = { clock, backlog: 100, backlogSpanMs: 3_600_000, backlogTies: 30 };
    const { simulator } = await start({ ...options, faults: { late: 1, update: 1, future: 1 } });
    const { raised } = simulator.account;
    expect(simulator.account.newest().size).toBe(100);
    expect(raised).toHaveLength(100);
    const stamps = raised.map(({ revision }) => Date.parse(revision));
    expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
    expect(stamps[0]).toBe(clock() - 3_600_001);
    expect(stamps.at(-1)).toBeLessThan(clock());
    const sizes = [...Map.groupBy(raised, ({ revision }) => revision).values()].map(({ length }) => length);
    expect(sizes.toSorted((a, b) => b - a).slice(0, 2)).toEqual([30, 1]);
  });

  it('of a backlog cannot have more ties than there are', async () => {
    await expect(startSimulator({ backlog: 2, backlogTies: 3 })).rejects.toThrow('backlogTies (3)');
  });

  it('that are changed get a later revision each time, in the same millisecond too', async () => {
    const { clock } = aClock();
    const { simulator, client } = await start({ clock, backlog: 10 });
    const [id = ''] = simulator.account.newest().keys();
    for (let n = 0; n < 5; n++) simulator.update([id]);
    const own = simulator.account.raised.filter((revision) => revision.id === id);
    expect(own).toHaveLength(6);
    expect(new Set(own.map(({ revision }) => revision)).size).toBe(6);
    expect(JSON.parse((await client.get(`${ALERTS}/${id}`)).body).lastUpdateDateTime).toBe(
      own.at(-1)?.revision,
    );
    simulator.update(4);
    expect(simulator.account.raised).toHaveLength(10 + 5 + 4);
    expect(() => simulator.update(['nobody'])).toThrow('no alert "nobody"');
  });

  it('that are given can be changed too', async () => {
    const given = {
      id: 'a',
      createdDateTime: '2024-02-28T04:45:11Z',
      lastUpdateDateTime: '2024-02-28T04:45:11Z',
    };
    const { simulator, client } = await start({ input: [given] });
    simulator.update(['a']);
    const [alert] = await client.read(ALERTS);
    expect(Date.parse(alert?.lastUpdateDateTime ?? '')).toBeGreaterThan(Date.parse(given.lastUpdateDateTime));
    expect(alert?.evidence).toHaveLength(1);
    expect(alert?.createdDateTime).toBe(given.createdDateTime);
  });

  it('cannot be all at the start without an end', async () => {
    await expect(startSimulator({ rate: 0 })).rejects.toThrow('say how many');
  });

  it('that are given are served as they are', async () => {
    const given = {
      id: 'given',
      createdDateTime: '2024-02-28T04:45:11Z',
      lastUpdateDateTime: '2024-02-28T04:46:59.67Z',
      title: null,
      additionalData: { long: 12345678901234567890n },
    };
    const older = { ...given, lastUpdateDateTime: '2024-02-28T04:46:59.6Z', title: 'older' };
    const { simulator, client } = await start({ input: [given, older] });
    expect((await client.get(ALERTS)).body).toContain(
      '"value":[{"id":"given","createdDateTime":"2024-02-28T04:45:11Z","lastUpdateDateTime":"2024-02-28T04:46:59.67Z","title":null,"additionalData":{"long":12345678901234567890}}]',
    );
    expect(simulator.account.raised.map(({ revision }) => revision)).toEqual([
      older.lastUpdateDateTime,
      given.lastUpdateDateTime,
    ]);
  });

  it.each([
    [{ createdDateTime: 'x' }, 'alert 1 of the input has no id'],
    [{ id: 'a', lastUpdateDateTime: '2024-02-28T04:46:59Z' }, 'no createdDateTime'],
  ])('that are given have to be alerts: %j', async (alert, message) => {
    await expect(startSimulator({ input: [alert] })).rejects.toThrow(message);
  });
});

describe('the account', () => {
  it('tells what was asked and what was answered to the last byte', async () => {
    const { simulator, client } = await start({ alerts: 3, rate: 0 });
    await client.page(`${ALERTS}?$top=2`);
    await client.get(`${ALERTS}?$top=0`);
    await client.signIn();
    const [id = ''] = simulator.account.newest().keys();
    await client.page(`${ALERTS}/${id}`);
    const { requests, answers } = simulator.account;
    // The client may have the last byte before the server hears that it is gone.
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    expect(requests).toMatchObject([
      { ordinal: 1, token: 1, status: 200, request: `${ALERTS}?$top=2` },
      { ordinal: 2, token: 1, status: 400 },
      { ordinal: 3, token: 2, status: 200 },
    ]);
    expect(answers.map(({ ordinal, alerts }) => [ordinal, alerts.length])).toEqual([
      [1, 2],
      [3, 1],
    ]);
    expect(answers[1]?.alerts).toMatchObject([{ id, revision: simulator.account.newest().get(id) }]);
  });

  it('can be read by other processes', async () => {
    const { simulator, client } = await start({ alerts: 1, rate: 0 });
    await client.page(ALERTS);
    const [raised] = simulator.account.raised;
    await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(1));
    const account = JSON.parse((await client.send('/simulator/account')).body);
    expect(account).toMatchObject({
      raised: [{ id: raised?.id, revision: raised?.revision, product: raised?.product }],
      newest: [[raised?.id, raised?.revision]],
      answers: [{ ordinal: 1, request: ALERTS, alerts: [[raised?.id, raised?.revision, 0]] }],
      requests: [{ ordinal: 1, status: 200 }],
      throttled: 0,
      pending: 0,
    });
  });
});

describe('writeSimulatorFiles()', () => {
  it('writes CA, secret and a config', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'simulator-'));
    opened.push({ close: () => rm(directory, { recursive: true }) });
    const { simulator } = await start();
    const files = await writeSimulatorFiles(join(directory, 'new'), simulator);
    expect(await readFile(files.ca, 'utf8')).toBe(simulator.caPem);
    expect(await readFile(files.secret, 'utf8')).toBe('simulator-secret');
    expect((await stat(files.secret)).mode & 0o777).toBe(0o600);
    const config = await readFile(files.config, 'utf8');
    expect(config).toContain(`graphEndpoint: ${simulator.url}\n`);
    expect(config).toMatch(/clientSecret: \$\{file:secret\}\n/);
    expect(config).not.toContain('startFrom');
    expect(config).not.toContain('simulator-secret');
  });

  it('goes back to the oldest alert that was given', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'simulator-'));
    opened.push({ close: () => rm(directory, { recursive: true }) });
    const times = { createdDateTime: '2024-02-28T04:45:11Z', lastUpdateDateTime: '2024-02-28T04:45:11Z' };
    const { simulator } = await start({ input: [{ id: 'a', ...times }] });
    const files = await writeSimulatorFiles(directory, simulator);
    expect(await readFile(files.config, 'utf8')).toContain("    startFrom: '2024-02-27T04:45:11.000Z'");
  });
});
