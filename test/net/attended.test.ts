import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import { attended } from '../../src/net/attended.ts';
import type { Graph, PageOptions } from '../../src/net/graph.ts';

const error = new UnavailableError('throttled', { reason: 'throttled' });
const row = (value: unknown) => value;
const options: PageOptions = { maxBytes: 1, role: 'x', signal: new AbortController().signal, row };

function scene(page: Graph['page']) {
  const told: unknown[] = [];
  const graph: Graph = { tenant: 'contoso', origin: 'https://graph.invalid', page, close: async () => {} };
  const seen = attended(graph, {
    answered: () => told.push('answered'),
    waits: (cause, waitMs) => told.push([cause, waitMs]),
  });
  return { seen, told };
}

describe('attended()', () => {
  it('tells what is waited out, and then the answer', async () => {
    const answer = { rows: [], count: 0, next: undefined, dateMs: undefined, bytes: 1 };
    const { seen, told } = scene(async (url, { waits, ...rest }) => {
      expect([url, rest]).toEqual(['/x', options]);
      waits?.(error, 500);
      return answer;
    });
    const own: unknown[] = [];
    const waits = (_: UnavailableError, waitMs: number) => void own.push(waitMs);
    expect(await seen.page('/x', { ...options, waits })).toBe(answer);
    expect(told).toEqual([[error, 500], 'answered']);
    expect(own).toEqual([500]);
    expect([seen.tenant, seen.origin]).toEqual(['contoso', 'https://graph.invalid']);
  });

  it('passes on what is not waited out', async () => {
    const { seen, told } = scene(() => Promise.reject(error));
    await expect(seen.page('/x', options)).rejects.toBe(error);
    expect(told).toEqual([]);
  });
});
