import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { validateCommand } from '../../src/cli/validate.ts';
import { golden } from '../config/golden.ts';

const fixture = (name: string) => join(import.meta.dirname, '../fixtures/config', `${name}.yaml`);
const env = { GRAPH_SECRET: 'canary-7f3a9c' };

async function validate(
  args: { config: string; json?: boolean },
  { terminal = false, vars = {} }: { terminal?: boolean; vars?: Record<string, string> } = {},
) {
  const stdout = Object.assign(new PassThrough(), { isTTY: terminal });
  const exitCode = await validateCommand(args, { stdout, env: { ...env, ...vars } });
  stdout.end();
  return { exitCode, output: (await stdout.toArray()).join('') };
}

describe('validate', () => {
  it('says what a good config has', async () => {
    const config = fixture('good-minimal');
    expect(await validate({ config })).toEqual({
      exitCode: 0,
      output: `${config}: fine (1 tenant, 1 source, 1 sink)\n`,
    });
  });

  it('prints a plain line for each problem into a pipe', async () => {
    const config = fixture('bad-everything');
    const { exitCode, output } = await validate({ config });
    expect(exitCode).toBe(2);
    expect(output).toBe([...(golden.everything ?? []), ''].map((line) => line && config + line).join('\n'));
  });

  it('aligns and colours on a terminal', async () => {
    const config = fixture('bad-everything');
    const { output } = await validate({ config }, { terminal: true });
    expect(output).toContain('\u001b[31m');
    const plain = stripVTControlCharacters(output).split('\n');
    const columns = plain
      .slice(0, 10)
      .map((line) => /(unknown|expected|must|a secret|the same)/.exec(line)?.index);
    expect(new Set(columns).size).toBe(1);
    expect(plain[10]).toBe('10 problems');
  });

  it('leaves colours out where they are not wanted', async () => {
    const { output } = await validate(
      { config: fixture('bad-port') },
      { terminal: true, vars: { NO_COLOR: '1' } },
    );
    expect(output).not.toContain('\u001b');
  });

  it('prints JSON for programs', async () => {
    const config = fixture('bad-typo-in-key');
    const { exitCode, output } = await validate({ config, json: true });
    expect(exitCode).toBe(2);
    expect(JSON.parse(output)).toEqual({
      ok: false,
      problems: [
        {
          file: config,
          line: 16,
          column: 5,
          path: 'sinks[0].prot',
          message: 'unknown key "prot"',
          hint: 'did you mean "port"?',
        },
      ],
      warnings: [],
    });
  });
});
