import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../scripts/build.ts';

const dir = mkdtempSync(join(tmpdir(), 'relay-build-'));
/** Name → text. */
const files = new Map<string, string>();
const importsOf = (text: string) =>
  [...text.matchAll(/^(?:import|export)\s[^;]*?["']([^"']+)["'];$/gm)].map(([, from]) => from!);

beforeAll(async () => {
  await build(dir);
  for (const name of readdirSync(dir)) files.set(name, readFileSync(join(dir, name), 'utf8'));
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe('what is built', () => {
  it('needs nothing but Node and itself', () => {
    const wanted = [...files.values()].flatMap(importsOf);
    expect(wanted.length).toBeGreaterThan(100);
    const outside = wanted.filter((from) => !isBuiltin(from) && !files.has(from.replace('./', '')));
    expect(outside).toEqual([]);
  });

  it('begins with a file that an old Node can read: it imports nothing of the rest before it knows', () => {
    const wanted = importsOf(files.get('main.js')!);
    expect(wanted).toContain('node:child_process');
    expect(wanted.filter((from) => !isBuiltin(from))).toEqual([]);
  });

  it('is kept in memory in one byte a character', () => {
    const wide = [...files].filter(([, text]) => /[^\0-\xff]/.test(text)).map(([name]) => name);
    expect(wide).toEqual([]);
  });

  it('says the same: what had to be escaped stands there', () => {
    expect([...files.values()].join('\n')).toContain(String.raw`Graph\u2019s limit of 150 requests a minute`);
  });
});

it('fails at what cannot be resolved, and not when somebody starts it', async () => {
  const breaks = {
    name: 'breaks',
    transform: {
      order: 'pre' as const,
      handler: (code: string, id: string) =>
        id.endsWith('src/lib/stop.ts') ? `import 'no-such-package';\n${code}` : undefined,
    },
  };
  await expect(build(mkdtempSync(join(dir, 'broken-')), { plugins: [breaks] })).rejects.toThrow(
    'no-such-package',
  );
});
