import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { UnavailableError, UnavailableReason } from '../../src/core/errors.ts';
import { openGraph } from '../../src/net/graph.ts';
import { collectLog } from '../support/log.ts';
import { aToken, type Reply, scriptGraph, tokenReply } from '../support/scripted-graph.ts';

/*
 * Every answer in the folder is given to each request of its kind (token-…: of the authority; else: of Graph), without
 * end. What comes of it is what a source sees.
 */
const folder = new URL('../fixtures/graph/errors/', import.meta.url);

interface Expected {
  /** `rows`: it is no error. */
  readonly reason: UnavailableReason | 'rows';
  /** It is waited for and tried again, by itself; else somebody must do something. */
  readonly passing?: true;
  readonly retryAfterMs?: number;
  /** What the token allows; left out: what is needed. */
  readonly roles?: readonly string[];
  /** The token was renewed before it was told (R9). */
  readonly renewed?: true;
  /** What the message says, and what to do. */
  readonly says: readonly string[];
}

const MISTAKE = 'it is a mistake of the relay: report it';
const TO_GRANT = 'add the application permission SecurityAlert.Read.All';

const forbidden = (...says: string[]): Expected => ({ reason: 'auth', renewed: true, says });
const without = (...says: string[]): Expected => ({
  ...forbidden(...says, TO_GRANT),
  roles: ['SecurityEvents.Read.All'],
});
const refused = (...says: string[]): Expected => ({ reason: 'request', says });
const signIn = (...says: string[]): Expected => ({ reason: 'auth', says: ['sign-in to tenant', ...says] });
const passing = (
  reason: UnavailableReason,
  retryAfterMs: number | undefined,
  ...says: string[]
): Expected => ({
  reason,
  passing: true,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
  says,
});

const expectations: Record<string, Expected> = {
  '200-with-truncated-json': passing('answer', undefined, 'is not a JSON object', 'captive portal'),
  '206-legacy-alerts-partial': passing('answer', undefined, 'not complete', 'Microsoft/WDATP/401/228'),
  '302-captive-portal': passing('answer', undefined, 'HTTP 302', 'captive portal'),
  '400-bad-filter': refused('Invalid filter clause', MISTAKE, 'request-id'),
  '400-hunting-kql-syntax': refused('Failed to resolve table', MISTAKE),
  '400-hunting-result-too-large': refused('larger than allowed', MISTAKE),
  '400-skip-too-large': refused("limit of '5000'", MISTAKE),
  '401-cae-claims-challenge': forbidden('Conditional Access', 'sign-in logs of Entra ID'),
  '401-invalid-token-expired': forbidden('the token is expired', 'a clock is wrong; check the one here'),
  '401-malformed-jwt': forbidden('not well formed', 'check that tenantId and cloud are right'),
  '403-defender-hunting-no-role': without('one of the roles ThreatHunting.Read.All is required'),
  '403-message-is-json-string': without('SecurityAlert.Read.All,SecurityAlert.ReadWrite.All is required'),
  '403-missing-role': without('SecurityAlert.Read.All,SecurityAlert.ReadWrite.All is required'),
  '403-no-license-or-not-provisioned': forbidden('Tenant is not provisioned.', 'licensed and set up'),
  '404-resource-not-found': refused('Alert not found.', 'check cloud and graphEndpoint'),
  '410-legacy-alerts': refused('has been retired', 'upgrade the relay'),
  '429-hunting-quota': passing('throttled', 60_000, 'HTTP 429'),
  '429-nested-inner-error': passing('throttled', 2000, 'HTTP 429'),
  '429-then-date-retry-after': passing('throttled', 90_000, 'HTTP 429'),
  '429-too-many-requests': passing('throttled', 10_000, 'HTTP 429', 'asks too often'),
  '429-without-retry-after': passing('throttled', undefined, 'HTTP 429'),
  '500-incidents-expand-alerts': passing(
    'server',
    undefined,
    'HTTP 500',
    'An internal server error occurred.',
  ),
  '500-unknown-error': passing('server', undefined, 'HTTP 500', 'UnknownError'),
  '502-html-body': passing('server', undefined, 'HTTP 502'),
  '503-service-unavailable': passing('server', 120_000, 'HTTP 503'),
  '504-unknown-error': passing('server', undefined, 'HTTP 504', 'UnknownError'),
  'inband-error-in-stream': passing('answer', undefined, 'holds an error: UnknownError'),
  'token-200': { reason: 'rows', says: [] },
  'token-400-aadsts700016': signIn('check clientId and tenantId'),
  'token-400-aadsts70011-scope': signIn('check cloud (now global) and authorityHost'),
  'token-400-aadsts90002-tenant': signIn('check tenantId and cloud (now global)'),
  'token-401-aadsts7000215': signIn('set clientSecret to the secret’s value'),
  'token-401-aadsts7000222-expired': signIn('has expired; make a new one'),
};

/** What the first failure was, told to the source or thrown; `rows` when there is none. */
async function outcomeOf(name: string, { roles }: Expected) {
  const reply: Reply = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  const ofAuthority = name.startsWith('token-');
  const scripted = await scriptGraph({
    graph: () => (ofAuthority ? { body: { value: [] } } : reply),
    token: (_, n) => (ofAuthority ? reply : tokenReply(aToken(n, roles))),
  });
  const log = collectLog();
  const observer = { requested: () => {}, throttled: () => {} };
  const graph = openGraph(scripted.settings, { log, observer, env: {} });
  onTestFinished(() => graph.close());
  const stop = new AbortController();
  let waited: UnavailableError | undefined;
  const waits = (error: UnavailableError) => {
    waited = error;
    stop.abort();
  };
  const url = `${scripted.origin}/v1.0/security/alerts_v2?$top=1`;
  const row = (value: unknown) => value;
  const options = { maxBytes: 10_000, role: 'SecurityAlert.Read.All', signal: stop.signal, waits, row };
  const thrown = await graph.page(url, options).then(
    () => undefined,
    (error: UnavailableError) => error,
  );
  return { failure: waited ?? thrown, isPassing: waited !== undefined, log, tokens: scripted.tokensAsked };
}

describe('every answer that refuses', () => {
  const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

  it('is expected to do something', () => {
    expect(names.toSorted()).toEqual(Object.keys(expectations).toSorted());
  });

  it.each(names)('%s', async (name) => {
    const expected = expectations[name]!;
    const { failure, isPassing, log, tokens } = await outcomeOf(name, expected);
    expect(failure?.reason ?? 'rows', failure?.message).toBe(expected.reason);
    expect(failure?.retryAfterMs).toBe(expected.retryAfterMs);
    for (const words of expected.says) expect(failure?.message).toContain(words);
    expect(isPassing).toBe(expected.passing ?? false);
    // What passes by itself says so; nobody has to do anything.
    expect(log.lines.map(({ message }) => message)).toEqual(
      isPassing ? [`${failure?.message}; it is tried again until it works`] : [],
    );
    expect(tokens).toHaveLength(expected.renewed ? 2 : 1);
  });
});
