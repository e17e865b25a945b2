import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { file } from '../../../src/sinks/file/index.ts';
import { rendered } from '../../contracts/sink.contract.ts';
import { testFolder } from '../../support/folder.ts';
import { utf8 } from '../../support/utf8.ts';
import { silent } from './files.ts';

const parse = (settings: object) => file.schema.safeParse({ type: 'file', path: '/x/a.log', ...settings });
const problems = (settings: object) =>
  parse(settings).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

describe('the settings of a file sink', () => {
  it('have defaults for all but the path', () => {
    expect(file.schema.parse({ type: 'file', path: '/x/a.log' })).toEqual({
      type: 'file',
      path: '/x/a.log',
      mode: 0o640,
      fsync: 'always',
      rotate: { size: 100 * 2 ** 20, every: 86_400_000, keep: 7, compress: 'none' },
    });
  });

  it.each([
    [{ mode: '600' }],
    [{ mode: '0664', fsync: 'interval' }],
    [{ fsync: 'never', rotate: { size: 'off', every: 'off' } }],
    [{ rotate: { size: '64KiB', every: '1h', keep: 1, compress: 'zstd' } }],
  ])('may be %j', (settings) => {
    expect(problems(settings)).toEqual([]);
  });

  it.each([
    [{ path: '' }, 'path: expected a path'],
    [{ mode: '0440' }, 'mode: expected permissions in octal that let the owner write'],
    [{ mode: '416' }, 'mode: expected permissions'],
    [{ mode: '0689' }, 'mode: expected permissions'],
    [{ mode: '4640' }, 'mode: expected permissions'],
    [{ fsync: 'no' }, 'fsync: '],
    [{ rotate: { size: '1KiB' } }, 'rotate.size: '],
    [{ rotate: { every: '1s' } }, 'rotate.every: '],
    [{ rotate: { keep: 0 } }, 'rotate.keep: '],
    [{ rotate: { compress: 'bzip2' } }, 'rotate.compress: '],
  ])('may not be %j', (settings, expected) => {
    expect(problems(settings)).toEqual([expect.stringContaining(expected)]);
  });

  it('make a sink, without touching the disk, whose events are the format’s alone', () => {
    const settings = file.schema.parse({ type: 'file', path: '/nowhere/a.log' });
    const sink = file.create(settings, { name: 'a', log: silent, timeoutMs: 1000 });
    expect(sink.messages(rendered(1)[0]!)).toEqual(utf8('event 1'));
    expect(sink.headerBytes).toBe(0);
  });
});

describe('a config with file sinks', () => {
  const load = (...paths: string[]) => {
    const folder = testFolder();
    const sinks = paths.map(
      (path, index) => `  - { name: s${index}, type: file, path: ${path}, mode: 0640 }\n`,
    );
    writeFileSync(join(folder, 'relay.yaml'), `sinks:\n${sinks.join('')}`);
    try {
      const { config } = loadConfig(join(folder, 'relay.yaml'), { needs: ['sinks'] });
      return config.sinks.map((sink) => sink.type === 'file' && [sink.path.replace(folder, ''), sink.mode]);
    } catch (error) {
      return (error as Error).message.replaceAll(`${folder}/`, '');
    }
  };

  it('takes paths from its own folder, and permissions without quotes', () => {
    expect(load('out/a.log', '/var/log/a.log')).toEqual([
      ['/out/a.log', 0o640],
      ['/var/log/a.log', 0o640],
    ]);
  });

  it('has no two of them on one path', () => {
    expect(load('a.log', 'b.log', './x/../a.log')).toBe(
      'relay.yaml:4:35 sinks[2].path: the same file as sinks[0], found "./x/../a.log"; give each its own',
    );
  });

  it.each(['state/journal.db', 'state', './state/lock.db'])(
    'K9: has none in the journal’s folder: %s',
    (path) => {
      expect(load(path)).toContain('sinks[0].path: expected a file outside of state.directory');
    },
  );

  it('may have one beside the journal’s folder', () => {
    expect(load('state.log')).toEqual([['/state.log', 0o640]]);
  });
});
