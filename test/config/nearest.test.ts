import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../src/config/nearest.ts';

describe('nearest()', () => {
  it.each([
    ['prot', 'port'],
    ['hots', 'host'],
    ['Port', 'port'],
    ['max_event_bytes', 'maxEventBytes'],
    ['directroy', 'directory'],
    ['dir', 'directory'],
  ])('finds what %s was meant to be', (word, meant) => {
    expect(nearest(word, ['host', 'port', 'directory', 'maxEventBytes'])).toBe(meant);
  });

  it('takes letters that changed places for likelier than one that is left out', () => {
    expect(nearest('hots', ['hosts', 'host'])).toBe('host');
    expect(nearest('hostss', ['host', 'hosts'])).toBe('hosts');
  });

  it.each(['kafka', 'p', '', 'x'.repeat(100_000)])('does not guess from far', (word) => {
    expect(nearest(word, ['host', 'port'])).toBeUndefined();
  });

  it('does not guess from nothing', () => {
    expect(didYouMean('port', [])).toBeUndefined();
  });
});
