import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAnswer, verdictOf, whyUnfit } from '../../../../src/sinks/syslog/relp/answer.ts';

const answer = (data: string) => parseAnswer(Buffer.from(data));

describe('parseAnswer()', () => {
  it.each([
    ['200 OK', { code: 200, text: 'OK', rest: '' }],
    ['200', { code: 200, text: '', rest: '' }],
    ['500 a\u001b[2Jb', { code: 500, text: 'a [2Jb', rest: '' }],
    ['200 OK\na=1\nb=2', { code: 200, text: 'OK', rest: 'a=1\nb=2' }],
    ['OK', undefined],
    ['2000 OK', undefined],
    ['', undefined],
  ])('of %j', (data, expected) => {
    expect(answer(data)).toEqual(expected);
  });

  it('takes any bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseAnswer(Buffer.from(bytes))));
  });
});

describe('whyUnfit()', () => {
  it.each([
    [
      '200 OK\nrelp_version=0\nrelp_software=librelp,1.12.0,http://librelp.adiscon.com\ncommands=syslog',
      undefined,
    ],
    // With a line feed before each offer, as the specification has it.
    ['200 OK\n\nrelp_version=1\n\ncommands=starttls,syslog', undefined],
    ['500 no', 'it refused the session: 500 no'],
    ['200 OK', 'it does not say that it speaks RELP 0 or 1'],
    ['200 OK\nrelp_version=7\ncommands=syslog', 'it does not say that it speaks RELP 0 or 1'],
    ['200 OK\nrelp_version=0\ncommands=eventlog', 'it does not take the command "syslog"'],
    ['200 OK\nrelp_version=0', 'it does not take the command "syslog"'],
  ])('of %j', (data, expected) => {
    expect(whyUnfit(answer(data)!)).toBe(expected);
  });
});

describe('verdictOf()', () => {
  it.each([
    ['200 OK', 'accepted'],
    ['500 error', 'refused'],
    ['599', 'refused'],
    ['250 OK', 'unavailable'],
    ['421 later', 'unavailable'],
    ['000', 'unavailable'],
  ])('S4: of %j', (data, expected) => {
    expect(verdictOf(answer(data)!)).toBe(expected);
  });
});
