import { describe, expect, it } from 'vitest';
import type { Account, CompleteAnswer, Raised } from '../../src/simulator/index.ts';
import { judge, type Wrong, wrongIn } from '../support/oracle.ts';
import { cefId, type Received, receivedOf, receivedOfJson, ticks } from '../support/received.ts';

/** The n-th revision of an alert. */
function aRevision(id: string, n: number, body: object = {}, unrevised = 0): Raised {
  const revision = `2026-11-28T09:00:0${n}.1234567Z`;
  const whole = { id, lastUpdateDateTime: revision, title: 'A | title', severity: 'high', ...body };
  const times = { raisedAt: 0, visibleAt: 0 };
  return { id, revision, unrevised, product: 'microsoftDefenderForEndpoint', ...times, body: () => whole };
}

const QUERY = '/v1.0/security/alerts_v2?$filter=lastUpdateDateTime%20ge%20…';

/** An account of revisions, each of which was given in an answer by itself, one a second; two requests came after. */
function anAccount(
  raised: readonly Raised[],
  { requests = raised.length + 2, request = QUERY } = {},
): Account {
  const answers = raised.map(
    (each, index): CompleteAnswer => ({ ordinal: index + 1, at: index * 1_000, request, alerts: [each] }),
  );
  return {
    raised,
    answers,
    requests: Array.from({ length: requests }, (_, index) => ({
      ordinal: index + 1,
      at: index * 1_000,
      request,
      token: 1,
      status: 200,
    })),
    throttled: 0,
    busiestMinute: 0,
    poisoned: undefined,
    pending: 0,
    newest: () => new Map(raised.map(({ id, revision }) => [id, revision])),
  };
}

let sequence = 0;

function cef(
  raised: Raised,
  { outcome = 'update', part = '', number = ++sequence, title = 'A \\| title' } = {},
): string {
  const { id, revision, unrevised } = raised;
  const payload = `${ticks(revision)}${unrevised > 0 ? `.${unrevised}` : ''}${part}`;
  return (
    `<131>1 2026-11-28T09:00:00.000Z vm defender-relay 7 alert - CEF:0|Microsoft|Microsoft Defender for Endpoint|1|x|${title}|8|` +
    `externalId=${cefId(id)} devicePayloadId=${payload} outcome=${outcome} dvcpid=7 cn3Label=sequence cn3=${number}`
  );
}

function json(raised: Raised, body: string, parts = 1): string {
  const { id, revision, unrevised } = raised;
  return `{"id":"${id}","revision":"${revision}","unrevised":${unrevised},"outcome":"new","stream":7,"sequence":${++sequence},"part":1,"parts":${parts},"body":${body}}`;
}

const [first, second] = [aRevision('a', 1), aRevision('a', 2)];
const other = aRevision('b', 1);
const all = [first, second, other];

const wrong = (account: Account, events: readonly (string | Received)[], mayRepeat?: number): Wrong[] => {
  const received = events.map((event) => (typeof event === 'string' ? receivedOf(event) : event));
  return [...wrongIn(judge(account, received), mayRepeat).keys()];
};

describe('the oracle', () => {
  it('finds nothing wrong where all that is owed came once, in order, unaltered', () => {
    expect(
      wrong(
        anAccount(all),
        all.map((each) => cef(each)),
      ),
    ).toEqual([]);
  });

  it('says that what never came is lost: a newest revision, given or not, and an earlier one that was given', () => {
    expect(wrong(anAccount(all), [cef(first), cef(second)])).toEqual(['lost']);
    expect(wrong({ ...anAccount(all), answers: [] }, [cef(first), cef(second)])).toEqual(['lost']);
    expect(wrong(anAccount(all), [cef(second), cef(other)])).toEqual(['lost']);
  });

  it('does not ask for an earlier revision that nobody need have committed', () => {
    const events = [receivedOf(cef(second)), receivedOf(cef(other))];
    const account = anAccount(all);
    const lost = (...[given, ...more]: Parameters<typeof judge>) => judge(given, ...more).lost.length;
    expect(lost({ ...account, answers: account.answers.slice(1) }, events)).toBe(0);
    // The process ended before it had asked for two things more; or the disk was at fault.
    expect(lost(account, events, [1_500])).toBe(0);
    expect(lost(account, events, [2_000])).toBe(0);
    expect(lost(account, events, [2_001])).toBe(1);
    expect(lost(account, events, [], [{ from: 1_000, to: 1_100 }])).toBe(0);
    expect(lost(account, events, [], [{ from: 2_001, to: 2_100 }])).toBe(1);
    // Asked for the time only.
    expect(lost(anAccount(all, { request: '/v1.0/security/alerts_v2?$top=1' }), events)).toBe(0);
  });

  it('does not ask for what cannot be read', () => {
    expect(
      wrong({ ...anAccount([first, other]), answers: [], poisoned: first.revision }, [cef(first)]),
    ).toEqual([]);
  });

  it('asks for each part, and for each of the first three further bodies of a revision', () => {
    const parts = [':1/2', ':2/2'].map((part) => cef(first, { part }));
    expect(wrong(anAccount([first]), parts)).toEqual([]);
    expect(wrong(anAccount([first]), parts.slice(1))).toEqual(['lost']);
    const bodies = [0, 1, 2, 3, 4].map((unrevised) => aRevision('a', 1, {}, unrevised));
    expect(
      wrong(
        anAccount(bodies),
        bodies.slice(0, 4).map((each) => cef(each)),
      ),
    ).toEqual([]);
    expect(
      judge(
        anAccount(bodies),
        bodies.slice(0, 3).map((each) => cef(each)),
      ).lost,
    ).toEqual([`a ${ticks(first.revision)}.3`]);
  });

  it('says that something came more often than it may', () => {
    const events = [...all, other].map((each) => cef(each, { number: all.indexOf(each) }));
    expect(wrong(anAccount(all), events)).toEqual(['duplicated']);
    expect(wrong(anAccount(all), events, 1)).toEqual([]);
  });

  it('says that the last of an alert is not its newest revision, but for what comes late and says so', () => {
    expect(wrong(anAccount(all), [cef(second), cef(first), cef(other)])).toEqual(['out of order']);
    const late = ['late', 'unrevised', 'repair', 'retry', 'replay'];
    for (const outcome of late)
      expect(wrong(anAccount(all), [cef(second), cef(first, { outcome }), cef(other)])).toEqual([]);
    // A repeat of the older one, at the end, is as bad.
    const [older, newer] = [cef(first), cef(second)];
    expect(wrong(anAccount(all), [older, newer, cef(other), older], 1)).toEqual(['out of order']);
    expect(wrong(anAccount(all), [older, newer, cef(other), older, newer], 2)).toEqual([]);
  });

  it('says that something came that never was', () => {
    expect(
      wrong(
        anAccount(all),
        [...all, aRevision('b', 2)].map((each) => cef(each)),
      ),
    ).toEqual(['out of order', 'never raised']);
    expect(wrong(anAccount([first]), [cef(first), cef(other)])).toContain('never raised');
  });

  it('says that something is not as Microsoft sent it', () => {
    expect(wrong(anAccount([first]), [cef(first, { title: 'Another title' })])).toEqual(['altered']);
    expect(wrong(anAccount([first]), [cef(first).replace('|8|', '|6|')])).toEqual(['altered']);
    expect(wrong(anAccount([first]), [cef(first, { title: 'A \\|…' })])).toEqual([]);

    const long = aRevision('a', 1, { n: 9_007_199_254_740_993n, nested: [{ b: 1.5, a: null }] });
    const whole = `{"id":"a","lastUpdateDateTime":"${long.revision}","title":"A | title","severity":"high","n":9007199254740993,"nested":[{"b":1.5,"a":null}]}`;
    const account = anAccount([long]);
    const told = (body: string, parts?: number) => wrong(account, [receivedOfJson(json(long, body, parts))]);
    expect(told(whole)).toEqual([]);
    expect(told(whole.replace('{"b":1.5,"a":null}', '{ "a": null, "b": 1.5 }'))).toEqual([]);
    expect(told(whole.replace('993', '992'))).toEqual(['altered']);
    expect(told(whole.replace('null', '""'))).toEqual(['altered']);
    expect(told(whole.replace('"severity":"high",', ''))).toEqual(['altered']);
    // In two parts, of which one is missing: that is all that can be said.
    expect(told('{}', 2)).toEqual(['lost']);
  });

  it('says that a running number stood for two events, or an event had two', () => {
    expect(
      wrong(
        anAccount(all),
        all.map((each) => cef(each, { number: 9 })),
      ),
    ).toEqual(['renumbered']);
    expect(wrong(anAccount([first]), [cef(first, { number: 1 }), cef(first, { number: 2 })], 1)).toEqual([
      'renumbered',
    ]);
  });

  it('takes nothing for an event that is not one, whole and by itself', () => {
    expect(() => receivedOf(`${cef(first)}${cef(other)}`)).toThrow('not one CEF event');
    expect(() => receivedOf(cef(first).slice(0, 140))).toThrow('without its identity');
    expect(() => receivedOf('nothing of ours')).toThrow('not one CEF event');
    expect(() => receivedOfJson(json(first, '{}').slice(0, -2))).toThrow();
    expect(() => receivedOfJson('{"id":"a"}')).toThrow('without its identity');
  });
});
