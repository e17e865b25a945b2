import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildPlugin, type Plugin } from '../../src/core/plugin.ts';

const plugin = (type: string): Plugin<z.ZodObject, string, { readonly name: string }> => ({
  schema: z.strictObject({ type: z.literal(type) }),
  summary: type,
  create: (settings, { name }) => `${name}: ${JSON.stringify(settings)}`,
});

describe('buildPlugin()', () => {
  const plugins = [plugin('file'), plugin('syslog')];

  it('makes the one that the type names, with settings and context', () => {
    const settings = { type: 'syslog', port: 514 };
    expect(buildPlugin(plugins, settings, { name: 'siem' })).toBe('siem: {"type":"syslog","port":514}');
  });

  it.each(['pigeon', '', '__proto__', 'FILE'])('says that there is none of type "%s"', (type) => {
    expect(() => buildPlugin(plugins, { type }, { name: 'siem' })).toThrow(`no plugin of type ${type}`);
  });

  it('passes over a plugin without a type', () => {
    const bare = { schema: z.strictObject({}), summary: '', create: () => 'bare' };
    expect(buildPlugin([bare, ...plugins], { type: 'file' }, { name: 'x' })).toBe('x: {"type":"file"}');
  });
});
