import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sinks } from '../../src/sinks/index.ts';

describe('every sink there is', () => {
  it.each(sinks.map(({ schema }) => schema.shape.type.value))('keeps the contract of sinks: %s', (type) => {
    const tests = globSync(`${type}/**/*.test.ts`, { cwd: import.meta.dirname });
    const texts = tests.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
    const kept = texts.filter((text) => new RegExp(`describeSinkContract\\(\\s*[\`']${type}\\b`).test(text));
    expect(kept).not.toEqual([]);
  });
});
