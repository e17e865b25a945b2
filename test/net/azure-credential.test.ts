import { Agent } from 'node:https';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCredential } from '../../src/net/azure-credential.ts';
import { testCertificate } from '../support/https.ts';
import {
  aToken,
  CANARY_SECRET,
  type Reply,
  type Script,
  scriptGraph,
  tokenReply,
} from '../support/scripted-graph.ts';

const SCOPE = 'https://graph.microsoft.com/.default';
const never = new AbortController().signal;

/** A credential against a token authority that answers by script. */
async function signIn(token?: Script['token'], timeoutMs = 10_000) {
  const graph = () => expect.fail('Graph is not asked');
  const scripted = await scriptGraph(token ? { graph, token } : { graph });
  const agent = new Agent({ keepAlive: true, ca: (await testCertificate()).ca });
  const credential = openCredential(scripted.settings, agent, timeoutMs);
  onTestFinished(() => {
    credential.close();
    agent.destroy();
  });
  return { credential, asked: scripted.tokensAsked };
}

/** Entra ID's refusal of a token. */
function refused(status: number, code: number, text: string): Reply {
  const body = { error: 'invalid', error_description: `AADSTS${code}: ${text}`, error_codes: [code] };
  return { status, body };
}

async function failureOf(request: Promise<unknown>): Promise<Error> {
  const error = await request.then(
    () => expect.fail('it did not fail'),
    (failure: unknown) => failure,
  );
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(CANARY_SECRET);
  return error as Error;
}

describe('token()', () => {
  it('asks for the scope with id and secret, and keeps the token', async () => {
    const { credential, asked } = await signIn();
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(asked).toHaveLength(1);
    const form = new URLSearchParams(asked[0]?.body);
    expect(form.get('grant_type')).toBe('client_credentials');
    expect(form.get('scope')).toBe(SCOPE);
    expect(form.get('client_secret')).toBe(CANARY_SECRET);
  });

  it('gives another one, and keeps that, when a fresh one is asked for', async () => {
    const { credential } = await signIn();
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(await credential.token(SCOPE, { signal: never, fresh: true })).toBe(aToken(1));
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
  });

  it('passes the claims of a challenge on, and keeps the token', async () => {
    const { credential, asked } = await signIn();
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}';
    await credential.token(SCOPE, { signal: never });
    expect(await credential.token(SCOPE, { signal: never, fresh: true, claims })).toBe(aToken(1));
    expect(new URLSearchParams(asked[1]?.body).get('claims')).toContain('1604106651');
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
  });

  it('renews a token before its end', async () => {
    const body = { token_type: 'Bearer', expires_in: 200, access_token: 'short' };
    const { credential, asked } = await signIn(() => ({ body }));
    await credential.token(SCOPE, { signal: never });
    await credential.token(SCOPE, { signal: never });
    expect(asked).toHaveLength(2);
  });

  it('S18: gives up an authority that accepts and never answers', async () => {
    const { credential } = await signIn(() => () => {}, 300);
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no token within 0.3 s'),
    });
  });

  it('S18: ends with an AbortError at the signal, and when it is closed', async () => {
    const stop = new AbortController();
    const { credential } = await signIn(() => () => stop.abort());
    expect(await failureOf(credential.token(SCOPE, { signal: stop.signal }))).toMatchObject({
      name: 'AbortError',
    });
    const waiting = failureOf(credential.token(SCOPE, { signal: never }));
    credential.close();
    expect(await waiting).toMatchObject({ name: 'AbortError' });
  });

  it.each([
    [401, 7000215, 'Invalid client secret provided.', 'the secret’s value (not its ID)'],
    [401, 7000222, 'The provided client secret keys are expired.', 'make a new one'],
    [400, 700016, 'Application was not found in the directory.', 'check clientId and tenantId'],
    [400, 90002, 'Tenant not found.', 'check tenantId and cloud (now global)'],
    [400, 70011, 'The scope is not valid.', 'check cloud (now global) and authorityHost'],
    [400, 50001, 'Something else.', 'AADSTS50001: Something else.'],
  ])('says what to do about HTTP %s with AADSTS%s', async (status, code, text, advice) => {
    const { credential } = await signIn(() => refused(status, code, text));
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining(advice) });
    expect(error.message).toContain('tenant contoso');
    expect(error.message).toContain(`AADSTS${code}`);
  });

  it.each<[string, Reply, object]>([
    ['503', { status: 503, headers: { 'retry-after': '7' } }, { reason: 'server', retryAfterMs: 7000 }],
    ['429', { status: 429, headers: { 'retry-after': '7' } }, { reason: 'throttled', retryAfterMs: 7000 }],
    ['a reset', (response) => response.destroy(), { reason: 'network' }],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }, { reason: 'answer' }],
    ['no token', { body: { token_type: 'Bearer' } }, { reason: 'answer' }],
  ])('tells what passes (%s) by status, and asks again at the next call', async (_, reply, expected) => {
    // The SDK would answer the next call from memory for a minute.
    const { credential } = await signIn((_asked, n) => (n === 0 ? reply : tokenReply('good')));
    expect(await failureOf(credential.token(SCOPE, { signal: never }))).toMatchObject(expected);
    expect(await credential.token(SCOPE, { signal: never })).toBe('good');
  });

  it('S11: leaks no secret that the authority echoes', async () => {
    const { credential } = await signIn((asked) =>
      refused(401, 7000215, `you sent ${asked.body} ${CANARY_SECRET}`),
    );
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error.message).toContain('***');
  });
});
