import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Address,
  type Config,
  configSchema,
  parseListen,
  type SinkConfig,
} from '../../src/config/schema.ts';
import type { Secret } from '../../src/lib/secret.ts';

describe('Config', () => {
  it('knows the settings of each plugin by its type', () => {
    expectTypeOf<SinkConfig['type']>().toEqualTypeOf<'syslog' | 'http' | 'file' | 'stdout' | 'event-hubs'>();
    const hostOf = (sink: SinkConfig): string | undefined => {
      if (sink.type === 'syslog') {
        expectTypeOf(sink.port).toEqualTypeOf<number | undefined>();
        expectTypeOf(sink.confirm?.every).toEqualTypeOf<number | undefined>();
        return sink.host;
      }
      // @ts-expect-error `host` belongs to `syslog` only
      return sink.host;
    };
    expect(hostOf).toBeTypeOf('function');
  });

  it('has the shared settings on every plugin', () => {
    expectTypeOf<SinkConfig['name']>().toEqualTypeOf<string>();
    expectTypeOf<SinkConfig['startFrom']>().toEqualTypeOf<'now' | 'journal'>();
    expectTypeOf<SinkConfig['delivery']['retry']>().toEqualTypeOf<{ initial: number; max: number }>();
    expectTypeOf<SinkConfig['format']['type']>().toEqualTypeOf<'cef' | 'json'>();
    expectTypeOf<Config['sources'][number]['every']>().toEqualTypeOf<number>();
    expectTypeOf<Config['sources'][number]['startFrom']>().toEqualTypeOf<number | string>();
  });

  it('has secrets as a type that does not print', () => {
    type Credential = Config['tenants'][number]['credential'];
    expectTypeOf<(Credential & { type: 'client-secret' })['clientSecret']>().toEqualTypeOf<Secret>();
    expectTypeOf<Config['server']['listen']>().toEqualTypeOf<Address | 'off'>();
  });
});

describe('maxEventBytes', () => {
  it.each([
    [{ type: 'syslog', host: 'siem' }, 8000],
    [{ type: 'syslog', host: 'siem', transport: 'udp' }, 2048],
    [{ type: 'syslog', host: 'siem', transport: 'udp', maxEventBytes: 8000 }, 8000],
    [{ type: 'stdout' }, 8000],
  ])('S7: of %j is %i', (settings, expected) => {
    const { sinks } = configSchema.parse({ sinks: [{ name: 'siem', ...settings }] });
    expect(sinks[0]?.maxEventBytes).toBe(expected);
  });
});

describe('parseListen()', () => {
  it.each([
    ['127.0.0.1:9464', { host: '127.0.0.1', port: 9464 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:9464', { host: '::1', port: 9464 }],
    ['off', 'off'],
    [':9464', undefined],
    ['9464', undefined],
    ['::1:9464', undefined],
    ['[127.0.0.1]:9464', undefined],
    ['localhost:65536', undefined],
    ['http://localhost:9464', undefined],
  ])('reads %s', (text, expected) => {
    expect(parseListen(text)).toEqual(expected);
  });
});
