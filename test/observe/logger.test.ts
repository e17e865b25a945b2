import { describe, expect, it } from 'vitest';
import { Reread } from '../../src/lib/reread.ts';
import { Secret } from '../../src/lib/secret.ts';
import { type LogLevel, openLogger } from '../../src/observe/logger.ts';

function scene(secrets: readonly string[] = [], level: LogLevel = 'info') {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const log = openLogger(
    level,
    stream,
    secrets.map((text) => new Secret(text)),
  );
  return { log, lines, fields: () => lines.map((line) => JSON.parse(line)) };
}

describe('openLogger()', () => {
  it('writes one object a line, with time and level as words', () => {
    const { log, lines, fields } = scene();
    log.warn({ sink: 'siem' }, 'the siem is down');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{[^\n]*\}\n$/);
    expect(fields()[0]).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      sink: 'siem',
      msg: 'the siem is down',
    });
  });

  it('leaves out what is below its level', () => {
    const { log, fields } = scene([], 'warn');
    log.info({}, 'no');
    log.child({ part: 'x' }).debug({}, 'no');
    log.error({}, 'yes');
    expect(fields().map(({ msg }) => msg)).toEqual(['yes']);
  });

  it('S6: lets nothing from outside forge a line or a field', () => {
    const { log, lines, fields } = scene();
    const evil = 'x"}\n{"level":"fatal","msg":"forged"}\r\n\u2028';
    log.error({ id: evil, [evil]: 1, err: new Error(evil) }, evil);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.trimEnd()).not.toContain('\n');
    expect(fields()[0]).toMatchObject({ level: 'error', id: evil, msg: evil });
  });

  it('tells an error with its stack and those that caused it', () => {
    const { log, fields } = scene();
    const root = new RangeError('the root');
    log.error({ err: new Error('the top', { cause: new Error('the middle', { cause: root }) }) }, 'failed');
    const { err } = fields()[0];
    expect(err).toMatchObject({ message: 'the top', cause: { message: 'the middle' } });
    expect(err.stack).toContain('logger.test.ts');
    expect(err.cause.cause).toMatchObject({ type: 'RangeError', message: 'the root' });
  });

  it.each([
    ['a text', 'no error'],
    ['null', null],
    ['nothing', undefined],
    ['an error that is its own cause', Object.assign(new Error('a'), { cause: undefined as unknown })],
  ])('survives %s in the place of an error', (_, thrown) => {
    if (thrown instanceof Error) thrown.cause = thrown;
    const { log, fields } = scene();
    log.error({ err: thrown }, 'failed');
    expect(fields()[0]).toMatchObject({ level: 'error', msg: 'failed' });
  });
});

describe('S11: a secret', () => {
  const secret = 'canary-Q8f~Zx.1 2/=+ü';

  it.each([
    ['a message', (text: string) => [{}, `refused: ${text}!`]],
    ['a field', (text: string) => [{ answer: text }, 'x']],
    ["a field's name", (text: string) => [{ [text]: 1 }, 'x']],
    ['a field far inside', (text: string) => [{ a: { b: [{ c: text }] } }, 'x']],
    ['an error', (text: string) => [{ err: new Error(text) }, 'x']],
    ['the cause of an error', (text: string) => [{ err: new Error('x', { cause: new Error(text) }) }, 'x']],
    [
      'a property of an error',
      (text: string) => [{ err: Object.assign(new Error('x'), { body: text }) }, 'x'],
    ],
    ['one of several errors', (text: string) => [{ err: new AggregateError([new Error(text)], 'x') }, 'x']],
    ['JSON that is quoted', (text: string) => [{ body: JSON.stringify({ client_secret: text }) }, 'x']],
    ['a form that is quoted', (text: string) => [{ body: `${new URLSearchParams({ secret: text })}` }, 'x']],
    ['an address', (text: string) => [{ url: `https://x/?s=${encodeURIComponent(text)}` }, 'x']],
  ])('is struck out of %s', (_, place) => {
    for (const text of [secret, 'quote"and\\backslash', 'line\nbreak\ttab', 'ключ-ключ']) {
      const { log, lines, fields } = scene([text]);
      const [bindings, message] = place(text) as [object, string];
      log.error(bindings, message);
      expect(lines[0]).toContain('***');
      // Whatever undoes the escaping, once or twice, must not bring it back.
      const undone = [
        lines[0]!,
        JSON.stringify(fields()[0]),
        JSON.stringify(fields()[0]).replaceAll('\\\\', '\\'),
      ];
      for (const line of undone) {
        expect(line).not.toContain(text);
        expect(line).not.toContain(JSON.stringify(text).slice(1, -1));
        expect(
          decodeURIComponent(line.replaceAll('+', ' ').replaceAll(/%(?![0-9A-F]{2})/g, '')),
        ).not.toContain(text);
      }
    }
  });

  it('is struck out of what a child says, bindings too', () => {
    const { log, lines } = scene([secret]);
    log.child({ tenant: secret }).warn({}, secret);
    expect(lines[0]).not.toContain(secret);
  });

  it('that is a Secret prints as ***', () => {
    const { log, fields } = scene([]);
    log.warn({ credential: { clientSecret: new Secret(secret) } }, 'x');
    expect(fields()[0].credential).toEqual({ clientSecret: '***' });
  });

  it('that begins with another one leaves no rest', () => {
    for (const secrets of [
      ['canary', 'canary-and-more'],
      ['canary-and-more', 'canary'],
    ]) {
      const { log, lines } = scene(secrets);
      log.warn({}, 'canary-and-more and canary');
      expect(lines[0]).not.toMatch(/canary|and-more/);
    }
  });

  it('is not taken for a pattern, and what stands in its place neither', () => {
    const { log, lines } = scene(['.*.*', '$&$&']);
    log.warn({}, 'a.*.*b, $&$& and the rest');
    expect(JSON.parse(lines[0]!).msg).toBe('a***b, *** and the rest');
  });

  it('of less than four characters is left alone: it would strike out half of each line', () => {
    const { log, fields } = scene(['', 'e', 'rro']);
    log.error({}, 'an error');
    expect(fields()[0]).toMatchObject({ level: 'error', msg: 'an error' });
  });

  it('S11: hides what a secret was, and what it has become while we run', () => {
    let text = 'canary-first';
    const secret = new Secret(text);
    secret.follow(new Reread(text, () => text), '/run/secrets/x');
    const lines: string[] = [];
    const log = openLogger('info', { write: (line: string) => void lines.push(line) }, [secret]);
    log.info({}, 'canary-first canary-second');
    text = 'canary-second';
    secret.look();
    log.info({}, 'canary-first canary-second');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['*** canary-second', '*** ***']);
  });
});
