import { describe, expect, it } from 'vitest';
import { http } from '../../../src/sinks/http/index.ts';

const problemsOf = (settings: object) =>
  http.schema
    .safeParse({ type: 'http', ...settings })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('the settings of http', () => {
  it.each<[string, object]>([
    ['an https address', { url: 'https://siem.example.com/in?key=1' }],
    ['http to this machine', { urls: ['http://localhost:8080', 'http://127.0.0.1/', 'http://[::1]:1/'] }],
    ['http to others with tls.insecure', { url: 'http://siem.example.com', tls: { insecure: true } }],
  ])('take %s', (_, settings) => {
    expect(problemsOf(settings)).toBeUndefined();
  });

  it.each<[string, object, RegExp]>([
    ['no address', {}, /^url: missing/],
    ['two', { url: 'https://a', urls: ['https://b'] }, /^url: give one of/],
    ['what is none', { url: 'siem.example.com' }, /^url: expected an address/],
    ['user and password in it', { url: 'https://relay:canary@siem' }, /^url.password: .*write them as auth$/],
    ['http to others', { url: 'http://siem.example.com' }, /^url: expected https:/],
    [
      'http to others among several',
      { urls: ['https://a', 'http://127.0.0.1.example'] },
      /^urls.1: expected https:/,
    ],
    [
      'a token server over http',
      {
        url: 'https://a',
        auth: { type: 'oauth2', tokenUrl: 'http://b', clientId: 'c', clientSecret: 'd' },
      },
      /^auth.tokenUrl: expected https:/,
    ],
    [
      'headers that are ours',
      { url: 'https://a', headers: [{ name: 'Content-Length', value: '1' }] },
      /^headers.0.name/,
    ],
    [
      'headers that Node acts on',
      { url: 'https://a', headers: [{ name: 'Trailer', value: 'x' }] },
      /^headers.0.name/,
    ],
    [
      'a user with a colon',
      { url: 'https://a', auth: { type: 'basic', user: 'a:b', password: 'c' } },
      /^auth.user: expected a name without/,
    ],
    [
      'a header with a line break',
      { url: 'https://a', headers: [{ name: 'a', value: 'b\r\nc: d' }] },
      /^headers.0.value/,
    ],
    ['a header without value', { url: 'https://a', headers: [{ name: 'a' }] }, /^headers.0.value: give/],
    [
      'two who sign in',
      {
        url: 'https://a',
        headers: [{ name: 'Authorization', secret: 'a' }],
        auth: { type: 'bearer', token: 'b' },
      },
      /^headers: "auth" sets/,
    ],
    [
      'a login without proxy',
      { url: 'https://a', proxyLogin: { user: 'a', password: 'b' } },
      /^proxyLogin: needs/,
    ],
  ])('refuse %s', (_, settings, problem) => {
    const problems = problemsOf(settings);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems?.join()).not.toContain('canary');
  });
});
