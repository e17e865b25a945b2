import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');

// An import may only point down this list; siblings on one line do not know each other.
const layers = [
  ['main.ts'],
  ['cli'],
  ['relay.ts'],
  ['parts'],
  ['config'],
  ['sources', 'formats', 'sinks', 'pipeline', 'journal', 'control', 'observe', 'simulator'],
  ['net'],
  ['core'],
  ['lib'],
];

/** Where each package from outside may be imported, so that replacing it is one folder's work. */
const homes: Record<string, RegExp> = {
  '@azure/identity': /^net\/azure-credential\.ts$/,
  '@azure/core-rest-pipeline': /^net\/azure-credential\.ts$/,
  '@azure/event-hubs': /^sinks\/event-hubs\/producer\.ts$/,
  ws: /^sinks\/event-hubs\/wire\.ts$/,
  axios: /^net\/http\.ts$/,
  'p-queue': /^pipeline\/deliver\.ts$/,
  'prom-client': /^observe\/metrics\.ts$/,
  pino: /^(observe\/logger\.ts|relay\.ts)$/,
  'node:sqlite': /^journal\//,
  zod: /^(config\/|lib\/fields\.ts|net\/(tenant|tls)\.ts|core\/plugin\.ts|(sources|sinks|formats)\/[^/]+\/(index|settings)\.ts)/,
  yaml: /^config\//,
  commander: /^cli\//,
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(src, file), 'utf8');
  const pattern = /(?:^|\n)(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)/g;
  return [...text.matchAll(pattern)].map(([, type, named, dynamic]) => {
    const to = named ?? dynamic ?? '';
    const local = to.startsWith('.') ? normalize(join(dirname(file), to)) : to;
    return { from: file, to: local, typeOnly: type !== undefined };
  });
});

const local = imports.filter(({ to }) => files.includes(to));
const layerOf = (file: string) => layers.findIndex((layer) => layer.includes(file.split('/')[0]!));

describe('the import direction', () => {
  it('is known for every file', () => {
    expect(files.filter((file) => layerOf(file) < 0)).toEqual([]);
    // The pattern above must see them, else the other tests could not fail.
    expect(local.length).toBeGreaterThan(100);
    const outside = imports.filter(({ to }) => to.startsWith('.'));
    expect(outside).toMatchObject([{ from: 'lib/version.ts', to: '../package.json' }]);
  });

  it('points one way', () => {
    const wrong = local.filter(({ from, to }) => {
      if (from.split('/')[0] === to.split('/')[0]) return false;
      // The simulator must not share the relay's idea of Graph, or both can be wrong together.
      if (from.startsWith('simulator/')) return !to.startsWith('lib/');
      return layerOf(from) >= layerOf(to);
    });
    expect(wrong).toEqual([]);
  });

  it('enters a plugin folder only by its index', () => {
    const wrong = local.filter(({ from, to }) => {
      const [kind, plugin, file] = to.split('/');
      if (!['sources', 'formats', 'sinks'].includes(kind!) || file === undefined) return false;
      return !from.startsWith(`${kind}/${plugin}/`) && (file !== 'index.ts' || from !== `${kind}/index.ts`);
    });
    expect(wrong).toEqual([]);
  });

  it('has no cycle', () => {
    const targets = Map.groupBy(
      local.filter(({ typeOnly }) => !typeOnly),
      ({ from }) => from,
    );
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`cycle: ${[...path, file].join(' → ')}`);
      if (done.has(file)) return;
      for (const { to } of targets.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('gives each package from outside one home', () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      const home = Object.entries(homes).find(([name]) => to === name || to.startsWith(`${name}/`));
      return home !== undefined && !typeOnly && !home[1].test(from);
    });
    expect(wrong).toEqual([]);
  });

  it('keeps core free of packages but for types', () => {
    const wrong = imports.filter(
      ({ from, to, typeOnly }) =>
        from.startsWith('core/') && !files.includes(to) && !to.startsWith('node:') && !typeOnly,
    );
    expect(wrong).toEqual([]);
  });
});

describe('every plugin folder', () => {
  it.each(['sources', 'formats', 'sinks'])('of %s is listed in its index and has a page', (kind) => {
    const list = readFileSync(join(src, kind, 'index.ts'), 'utf8');
    const folders = readdirSync(join(src, kind), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(folders.length).toBeGreaterThan(0);
    for (const { name } of folders) {
      expect(list).toContain(`'./${name}/index.ts'`);
      expect(existsSync(join(src, kind, name, 'README.md')), `${kind}/${name}/README.md`).toBe(true);
    }
  });
});

describe('the tests', () => {
  it('stand where the code stands', () => {
    const orphans = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .filter(
        (file) =>
          !/^(process|peers|contracts|deploy|scripts|bench)\//.test(file) &&
          !/^(relay|architecture)\.test/.test(file),
      )
      .filter((file) => {
        const source = relative('.', file).replace(/(\.\w+)?\.test\.ts$/, '');
        return !existsSync(join(src, `${source}.ts`)) && !existsSync(join(src, dirname(file)));
      });
    expect(orphans).toEqual([]);
  });
});
