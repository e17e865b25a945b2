import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UsageError } from '../../src/core/errors.ts';
import { Reread } from '../../src/lib/reread.ts';
import { Secret } from '../../src/lib/secret.ts';
import { openAgent } from '../../src/net/agent.ts';
import { type GraphOptions, openGraph } from '../../src/net/graph.ts';
import type { TenantSettings } from '../../src/net/tenant.ts';
import { testFolder } from '../support/folder.ts';
import { collectLog } from '../support/log.ts';
import { startProxy } from '../support/proxy.ts';
import { CANARY_SECRET, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

const PAGE = '/v1.0/security/alerts_v2?$top=1';
const CANARY = 'canary:p@ss/w%rd#1';

/** A Graph behind the settings, and its page by at most two tries. */
function open(settings: TenantSettings, options: Partial<GraphOptions> = {}) {
  const log = collectLog();
  const graph = openGraph(settings, {
    log,
    observer: { requested: () => {}, throttled: () => {} },
    backoff: { initialMs: 1, maxMs: 2 },
    env: {},
    ...options,
  });
  onTestFinished(() => graph.close());
  const page = () =>
    graph.page(`${settings.graphEndpoint}${PAGE}`, {
      maxBytes: 10_000,
      role: 'SecurityAlert.Read.All',
      signal: new AbortController().signal,
      attempts: 2,
      row: (value: unknown) => value,
    });
  return { page, log };
}

const good = { graph: () => ({ body: { value: [{ id: 'a' }] } }) };

describe('openAgent()', () => {
  it('G24: sends token and Graph requests by the tenant’s proxy, and believes the CA by which it inspects', async () => {
    const { settings, origin } = await scriptGraph(good);
    const proxy = await startProxy();
    // The CA of the server itself is not known here: what arrives has come by the proxy.
    const { page } = open({ ...settings, ca: proxy.caFile, proxy: proxy.origin });
    expect((await page()).rows).toEqual([{ id: 'a' }]);
    expect(new Set(proxy.connects)).toEqual(new Set([new URL(origin).host]));
    expect(proxy.inspected).toEqual([
      `GET /${TENANT_ID}/v2.0/.well-known/openid-configuration`,
      expect.stringMatching(`^POST /${TENANT_ID}/oauth2/v2.0/token`),
      `GET ${PAGE}`,
    ]);
  });

  it.each(['HTTPS_PROXY', 'https_proxy'])('G24: takes the proxy from %s, with the CA', async (name) => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    const { page } = open({ ...settings, ca: proxy.caFile }, { env: { [name]: proxy.origin } });
    await page();
    expect(proxy.inspected).toHaveLength(3);
  });

  it('takes a proxy of the environment also without http://', async () => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    const env = { HTTPS_PROXY: new URL(proxy.origin).host };
    await open({ ...settings, ca: proxy.caFile }, { env }).page();
    expect(proxy.inspected).toHaveLength(3);
  });

  it.each(['127.0.0.1', '*'])(
    'goes past the proxy of the environment where NO_PROXY (%s) says so',
    async (no) => {
      const { settings } = await scriptGraph(good);
      const proxy = await startProxy();
      await open(settings, { env: { HTTPS_PROXY: proxy.origin, NO_PROXY: no } }).page();
      expect(proxy.connects).toEqual([]);
    },
  );

  it('prefers the tenant’s own proxy to all that the environment says', async () => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '*' };
    await open({ ...settings, ca: proxy.caFile, proxy: proxy.origin }, { env }).page();
    expect(proxy.inspected).toHaveLength(3);
  });

  it('logs in at the proxy, with a new password once that has changed', async () => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    let text = CANARY;
    const password = new Secret(text);
    password.follow(new Reread(text, () => text), '/run/secrets/x');
    const proxyLogin = { user: 'DOM\\user', password };
    const { page } = open({ ...settings, ca: proxy.caFile, proxy: proxy.origin, proxyLogin });
    const basic = (given: string) => `Basic ${Buffer.from(`DOM\\user:${given}`).toString('base64')}`;
    await page();
    expect(new Set(proxy.logins)).toEqual(new Set([basic(CANARY)]));
    text = 'second';
    password.look();
    await page();
    expect(proxy.logins.at(-1)).toBe(basic('second'));
  });

  it('S11: says which proxy lets nobody through, without its password', async () => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    proxy.refuses = true;
    const proxyLogin = { user: 'user', password: new Secret(CANARY) };
    const { page, log } = open({ ...settings, ca: proxy.caFile, proxy: proxy.origin, proxyLogin });
    const error = await page().catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      reason: 'network',
      message: expect.stringContaining(`(proxy ${proxy.origin})`),
    });
    expect(error).toMatchObject({ message: expect.stringContaining('check its address, proxyLogin') });
    const dump = inspect([error, log.lines], { depth: 20, showHidden: true });
    for (const secret of [CANARY, encodeURIComponent(CANARY), btoa(`user:${CANARY}`), CANARY_SECRET])
      expect(dump).not.toContain(secret);
  });

  it('S11: names the proxy of the environment without its password', async () => {
    const { settings } = await scriptGraph(good);
    const env = { HTTPS_PROXY: `http://user:canary@127.0.0.1:1/` };
    const { page, log } = open(settings, { env });
    const error = await page().catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      message: expect.stringContaining('(HTTPS_PROXY http://127.0.0.1:1): ECONNREFUSED'),
    });
    expect(inspect([error, log.lines], { depth: 20, showHidden: true })).not.toContain('canary');
  });

  it('S18: gives up a proxy that says nothing', async () => {
    const { settings } = await scriptGraph(good);
    const proxy = await startProxy();
    proxy.mutes = () => true;
    const { page } = open({ ...settings, ca: proxy.caFile, proxy: proxy.origin }, { tokenTimeoutMs: 200 });
    const error = await page().catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no token within 0.2 s'),
    });
  });

  it('gives up a proxy that lets token requests through and is silent about Graph', async () => {
    const authority = await scriptGraph(good);
    const graph = await scriptGraph(good);
    const proxy = await startProxy();
    const { authorityHost } = authority.settings;
    const only = new URL(authority.origin).host;
    const settings = { ...graph.settings, authorityHost, ca: proxy.caFile, proxy: proxy.origin };
    proxy.mutes = (target) => target !== only;
    const timeouts = { connectMs: 200, firstByteMs: 10_000, wholeMs: 10_000 };
    const error = await open(settings, { timeouts })
      .page()
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no connection within 0.2 s'),
    });
  });

  it('believes a CA that was put in place of the old one, and says so when there is only half of it', async () => {
    const { settings } = await scriptGraph(good);
    const folder = testFolder();
    const proxy = await startProxy();
    const ca = join(folder, 'ca.pem');
    const pem = readFileSync(settings.ca!, 'utf8');
    writeFileSync(ca, readFileSync(proxy.caFile));
    let now = 0;
    const { page, log } = open({ ...settings, ca }, { reread: { clock: () => now } });
    await expect(page()).rejects.toThrow('a CA that is not trusted here');

    now += 30_000;
    writeFileSync(ca, pem.slice(0, 200));
    await expect(page()).rejects.toThrow('a CA that is not trusted here');
    const told = () => log.lines.filter(({ message }) => message.includes('stays in use'));
    expect(told()).toEqual([
      {
        level: 'warn',
        fields: {},
        message: `file ${ca} has a certificate that is cut off; what was there before stays in use`,
      },
    ]);

    now += 30_000;
    writeFileSync(ca, pem);
    expect((await page()).rows).toHaveLength(1);
    expect(told()).toHaveLength(1);
    expect(log.lines.map(({ message }) => message)).toContain('the files of this tenant can be read again');
  });

  it('refuses a CA file that is none', async () => {
    const { settings } = await scriptGraph(good);
    const ca = join(testFolder(), 'ca.pem');
    expect(() => openAgent({ ...settings, ca })).toThrow(
      new UsageError(`tenant contoso: ca: file ${ca} does not exist`),
    );
    writeFileSync(ca, 'no certificate\n');
    expect(() => openAgent({ ...settings, ca })).toThrow(`file ${ca} has no certificate in PEM form`);
  });
});
