import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode, idempotencyKey, outgoing, requestsOf } from '../../../src/sinks/http/request.ts';
import { rendered } from '../../contracts/sink.contract.ts';
import { events } from './support.ts';

const lines = (count: number, text = 'x') => rendered(count, 1, (number) => `${text}${number}`);

describe('encode()', () => {
  it.each([
    ['ndjson', 'application/x-ndjson', '{"event":1}\n{"event":2}\n'],
    ['array', 'application/json', '[{"event":1},{"event":2}]'],
    ['single', 'application/json', '{"event":1}\n{"event":2}'],
  ] as const)('of JSON: %s', (body, type, text) => {
    const { type: found, bytes } = encode(outgoing(events(2)), body);
    expect([found, bytes.toString()]).toEqual([type, text]);
  });

  it.each([
    ['ndjson', 'text/plain; charset=utf-8', 'CEF:0|"é"1\nCEF:0|"é"2\n'],
    ['array', 'application/json', '["CEF:0|\\"é\\"1","CEF:0|\\"é\\"2"]'],
  ] as const)('of other lines: %s', (body, type, text) => {
    const { type: found, bytes } = encode(outgoing(lines(2, 'CEF:0|"é"')), body);
    expect([found, bytes.toString()]).toEqual([type, text]);
  });
});

describe('outgoing()', () => {
  it('leaves no line break in an event', () => {
    const [event] = outgoing(rendered(1, 1, () => 'a\r\nb\nc'));
    expect(String(event?.text)).toBe('a  b c');
  });
});

describe('requestsOf()', () => {
  it('loses nothing, keeps the order, and makes none too large', () => {
    const sizes = fc.array(fc.nat({ max: 60 }), { maxLength: 30 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 100 }),
        fc.nat(),
        fc.nat(),
        (all, maxBytes, from, count) => {
          const out = outgoing(rendered(all.length, 1, (number) => 'x'.repeat(all[number - 1]!)));
          const again = out.slice(from % 30, (from % 30) + (count % 5));
          const unanswered = again.length > 0 ? [again.map(({ key }) => key)] : [];
          const requests = requestsOf(out, 'ndjson', maxBytes, unanswered);
          expect(requests.flat()).toEqual(out);
          for (const request of requests) {
            const isAgain = again.length > 0 && request[0] === again[0];
            if (isAgain) expect(request).toEqual(again);
            else if (request.length > 1)
              expect(encode(request, 'ndjson').bytes.length).toBeLessThanOrEqual(maxBytes);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('idempotencyKey()', () => {
  it('is the same for the same events, whatever their numbers, and another for others', () => {
    const key = idempotencyKey(outgoing(events(3)));
    expect(idempotencyKey(outgoing(events(3).map((one) => ({ ...one, stream: 1, sequence: 1 }))))).toBe(key);
    expect(idempotencyKey(outgoing(events(2)))).not.toBe(key);
    expect(idempotencyKey(outgoing(events(3, 2)))).not.toBe(key);
  });
});
