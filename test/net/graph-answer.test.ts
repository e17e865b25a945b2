import { describe, expect, it } from 'vitest';
import { claimsOf, refusalOf } from '../../src/net/graph-answer.ts';
import type { HttpAnswer } from '../../src/net/http.ts';
import { aToken } from '../support/scripted-graph.ts';

function anAnswer(status: number, body: unknown, headers: Record<string, string> = {}): HttpAnswer {
  return { status, text: JSON.stringify(body), isEarly: false, header: (name) => headers[name] };
}

describe('claimsOf()', () => {
  it('finds none where there are none, or no JSON', () => {
    expect(claimsOf(anAnswer(401, {}))).toBeUndefined();
    expect(claimsOf(anAnswer(401, {}, { 'www-authenticate': 'Bearer claims="!"' }))).toBeUndefined();
    expect(claimsOf(anAnswer(401, {}, { 'www-authenticate': 'Bearer claims="YWJj"' }))).toBeUndefined();
  });
});

describe('refusalOf()', () => {
  const refused = {
    role: 'SecurityAlert.Read.All',
    token: aToken(0, []),
    who: 'app',
    grant: 'grant it',
    nowMs: 0,
  };
  const forbidden = (message: string) => anAnswer(403, { error: { code: 'Forbidden', message } });

  it('reads the required roles also where the message is a JSON text', () => {
    const Message =
      'Missing application roles. API required roles: A.Read,B.Read, application roles: C.Read.';
    expect(refusalOf(forbidden(JSON.stringify({ Message, Target: null })), refused).message).toContain(
      'one of the roles A.Read,B.Read is required, its token has none',
    );
  });

  it('names the role itself where Graph does not', () => {
    expect(refusalOf(forbidden('No.'), refused).message).toContain('SecurityAlert.Read.All is required');
  });

  it('ends at once whatever a far end puts in its message', () => {
    const blanks = ' '.repeat(100_000);
    const begun = performance.now();
    for (const message of [
      `required roles:${blanks}x`,
      `required roles:${blanks}, application roles:`,
      `required roles:${'a,'.repeat(50_000)}`,
      'required roles:'.repeat(7000),
    ])
      expect(refusalOf(forbidden(message), refused).message).toContain('SecurityAlert.Read.All is required');
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('takes nothing for the name of a role that is none', () => {
    const message = 'API required roles: <b>A</b>, application roles: .';
    expect(refusalOf(forbidden(message), refused).message).toContain('SecurityAlert.Read.All is required');
  });

  it('points at licence and set-up where the role is there', () => {
    const token = aToken(0, ['SecurityAlert.Read.All']);
    const { message } = refusalOf(forbidden('Tenant is not provisioned.'), { ...refused, token });
    expect(message).toContain('licensed');
    expect(message).toContain('Tenant is not provisioned.');
  });

  it('takes a date in Retry-After against our clock where the server tells no time', () => {
    const headers = { 'retry-after': 'Thu, 01 Jan 1970 00:00:30 GMT' };
    expect(refusalOf(anAnswer(503, {}, headers), refused).retryAfterMs).toBe(30_000);
  });
});
