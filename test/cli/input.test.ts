import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { alertsOf, type Given, readAlerts, unlikeAlert } from '../../src/cli/input.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseJson } from '../../src/lib/json.ts';

const a = { id: 'a', title: 'one\nline' };
const b = { id: 'b' };
const incident = {
  id: '7',
  displayName: 'x',
  incidentWebUrl: 'https://x',
  severity: 'high',
  createdDateTime: 't',
};
const json = JSON.stringify;
const alertsIn = (given: readonly Given[]) => given.map(({ alert }) => alert);

describe('alertsOf()', () => {
  it.each([
    ['one alert', json(a), [a]],
    ['one alert over several lines', JSON.stringify(a, null, 2), [a]],
    ['an array', json([a, b]), [a, b]],
    ['an array over several lines', JSON.stringify([a, b], null, 2), [a, b]],
    ['an empty array', '[]', []],
    ['an answer of Graph', json({ '@odata.context': 'x', value: [a, b] }), [a, b]],
    ['an alert whose value is no list', json({ ...a, value: 7 }), [{ ...a, value: 7 }]],
    ['one alert a line', `${json(a)}\n${json(b)}`, [a, b]],
    ['lines with a line feed at the end', `${json(a)}\n${json(b)}\n`, [a, b]],
    ['lines as Windows ends them', `${json(a)}\r\n${json(b)}\r\n`, [a, b]],
    ['lines with empty ones between', `\n\n${json(a)}\n \n\n${json(b)}\n\n`, [a, b]],
    [
      'answers of Graph, one a line',
      `${json({ value: [a] })}\n${json({ value: [] })}\n${json({ value: [b] })}`,
      [a, b],
    ],
    ['answers of Graph without a line feed between', json({ value: [a] }) + json({ value: [b] }), [a, b]],
    [
      'answers of Graph over several lines',
      [[a], [b]].map((value) => JSON.stringify({ value }, null, 2)).join('\n'),
      [a, b],
    ],
    ['arrays, one a line', `${json([a])}\n${json([b])}`, [a, b]],
    [
      'brackets and quotes in texts',
      `${json({ id: '}{"\\' })}${json({ id: ']' })}`,
      [{ id: '}{"\\' }, { id: ']' }],
    ],
    ['an incident with its alerts', json({ ...incident, alerts: [a, b] }), [a, b]],
    ['incidents as Graph answers', json({ value: [{ ...incident, alerts: [a] }, incident] }), [a, incident]],
    ['a byte order mark before JSON', `\uFEFF${json(a)}`, [a]],
    ['a byte order mark before lines', `\uFEFF${json(a)}\n${json(b)}`, [a, b]],
  ])('reads %s', (_, content, expected) => {
    expect(alertsIn(alertsOf(content, 'x'))).toEqual(expected);
  });

  it('keeps the digits of long integers', () => {
    const long = '{"id":9007199254740993}';
    expect(alertsIn(alertsOf(long, 'x'))).toEqual([{ id: 9007199254740993n }]);
    expect(alertsIn(alertsOf(`{"id":1}\n${long}`, 'x'))).toEqual([{ id: 1 }, { id: 9007199254740993n }]);
  });

  it('says where each alert stood', () => {
    const places = (content: string) => alertsOf(content, 'x').map(({ where }) => where);
    expect(places(json(a))).toEqual(['x']);
    expect(places(json([a, b]))).toEqual(['x: element 0', 'x: element 1']);
    expect(places(`\n${json(a)}\n\n${json(b)}`)).toEqual(['x:2', 'x:4']);
    expect(places(`${json([a])}\n${json({ value: [a, { ...incident, alerts: [b] }] })}`)).toEqual([
      'x:1: element 0',
      'x:2: element 0',
      'x:2: element 1: alert 0',
    ]);
    expect(places(`${JSON.stringify(a, null, 2)}\n${json(b)}`)).toEqual(['x:1', 'x:5']);
  });

  it('names one place only where a line is broken', () => {
    const broken = () => alertsOf(`${json(a)}\n{"id": "b"; }`, 'x');
    expect(broken).toThrow(/^x:2: is not JSON: .* at column 11$/);
    expect(broken).not.toThrow(/line 1/);
  });

  it.each([
    ['nothing', '', /^x: is empty; expected an alert/],
    ['white space', ' \n\t\uFEFF', /^x: is empty/],
    ['text', 'CEF:0|Microsoft', /^x: is not JSON: /],
    ['JSON that is cut', '{"id": "a", "title": "b', /^x: is not JSON: /],
    ['JSON over several lines that is cut', '{\n  "id": "a",\n  "title"', /^x: is not JSON: /],
    ['a line that is cut', `${json(a)}\n{"id`, /^x:2: is not JSON: /],
    ['a line that is cut, behind empty ones', `\n\n${json(a)}\n\n{"id\n${json(b)}`, /^x:5: is not JSON: /],
    ['a line that is no alert', `${json(a)}\n7`, /^x:2: expected an alert \(a JSON object\), found 7$/],
    ['an array in the array of a line', `${json(a)}\n[[]]`, /^x:2: element 0: .* found an array$/],
    ['an answer of Graph that is cut', `${json({ value: [a] })}{"value": [`, /^x: is not JSON: /],
    ['text between', `${json(a)} and ${json(b)}`, /^x: is not JSON: /],
    ['an element that is no alert', json([a, null]), /^x: element 1: .* found null$/],
    ['a long integer', '[12345678901234567890]', /^x: element 0: .* found 12345678901234567890$/],
    ['a text', '"alert"', /^x: .* found "alert"$/],
    ['true', 'true', /^x: .* found true$/],
    ['an array in an array', '[[]]', /^x: element 0: .* found an array$/],
  ])('says what is wrong with %s', (_, content, message) => {
    expect(() => alertsOf(content, 'x')).toThrow(UsageError);
    expect(() => alertsOf(content, 'x')).toThrow(message);
  });

  it('gives objects or a UsageError, whatever it reads', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.json()).map((lines) => lines.join('\n')),
        ),
        (content) => {
          try {
            for (const { alert } of alertsOf(content, 'x')) expect(alert).toBeTypeOf('object');
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        },
      ),
    );
  });

  it('reads back what it is given, in each of the four ways', () => {
    const alerts = fc.array(
      fc.dictionary(
        fc.string().map((name) => `x${name}`),
        fc.jsonValue(),
      ),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(alerts, (list) => {
        const plain = parseJson(json(list)) as object[];
        expect(alertsIn(alertsOf(json(list), 'x'))).toEqual(plain);
        expect(alertsIn(alertsOf(json({ value: list }), 'x'))).toEqual(plain);
        expect(alertsIn(alertsOf(list.map((alert) => json(alert)).join('\n'), 'x'))).toEqual(plain);
        expect(alertsIn(alertsOf(json(list[0]), 'x'))).toEqual(plain.slice(0, 1));
      }),
    );
  });
});

describe('unlikeAlert()', () => {
  it.each([
    [{ id: 'a' }],
    [{ title: 'x' }],
    [{ createdDateTime: null }],
    [{ id: 7, title: '', error: {} }],
    [{ ...incident, title: 'x' }],
  ])('takes %j for an alert', (alert) => expect(unlikeAlert(alert)).toBeUndefined());

  it.each([
    [{}, 'is no alert: it has no id, no title and no createdDateTime'],
    [{ error: 'no object' }, 'is no alert: it has no id, no title and no createdDateTime'],
    [
      { id: '/subscriptions/x', name: 'x', type: 'Microsoft.Security/assessments', properties: {} },
      'is no alert: it has properties, as things of Azure do, and no title',
    ],
    [incident, 'is an incident, and no alert; with $expand=alerts Graph gives its alerts too'],
    [
      { error: { code: 'InvalidAuthenticationToken', message: 'Access token is empty.\u001b[2J' } },
      'is an error that Graph answered with (InvalidAuthenticationToken: Access token is empty. [2J), and no alert',
    ],
    [{ error: { code: 7 } }, 'is an error that Graph answered with, and no alert'],
  ])('tells what %j is', (thing, text) => expect(unlikeAlert(thing)).toBe(text));
});

describe('readAlerts()', () => {
  const noInput = { stdin: Readable.from([]) };

  it('reads a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'defender-relay-test-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'alerts.json');
    await writeFile(file, json([a]));
    await expect(readAlerts(file, noInput)).resolves.toEqual([{ alert: a, where: `${file}: element 0` }]);
    await expect(readAlerts(folder, noInput)).rejects.toThrow(UsageError);
  });

  it('reads what PowerShell writes with >', async () => {
    const bytes = Buffer.from(`\uFEFF${json({ id: 'é漢🛡' })}\r\n`, 'utf16le');
    expect(alertsIn(await readAlerts('-', { stdin: Readable.from([bytes]) }))).toEqual([{ id: 'é漢🛡' }]);
    const stdin = Readable.from([Buffer.from(bytes).swap16()]);
    expect(alertsIn(await readAlerts('-', { stdin }))).toEqual([{ id: 'é漢🛡' }]);
  });

  it('reads standard input, also when a character comes in two pieces', async () => {
    const bytes = Buffer.from(json({ id: 'é' }));
    const cut = bytes.indexOf(0xc3) + 1;
    const stdin = Readable.from([bytes.subarray(0, cut), bytes.subarray(cut)]);
    expect(alertsIn(await readAlerts('-', { stdin }))).toEqual([{ id: 'é' }]);
    await expect(readAlerts('-', noInput)).rejects.toThrow('standard input: is empty');
  });

  it('says which file cannot be read', async () => {
    await expect(readAlerts('/nowhere/alerts.json', noInput)).rejects.toThrow(UsageError);
    await expect(readAlerts('/nowhere/alerts.json', noInput)).rejects.toThrow(
      '--input /nowhere/alerts.json: cannot be read: ENOENT',
    );
  });
});
