import { describe, expect, it } from 'vitest';
import { hubOf, parseConnectionString } from '../../../src/sinks/event-hubs/connection-string.ts';

describe('parseConnectionString', () => {
  it('reads what the portal gives', () => {
    const text =
      'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=YWJj/+d=;EntityPath=alerts';
    expect(parseConnectionString(text)).toEqual({
      host: 'ns.servicebus.windows.net',
      port: undefined,
      keyName: 'send',
      key: 'YWJj/+d=',
      signature: undefined,
      eventHub: 'alerts',
      isEmulator: false,
    });
  });

  it('reads that of the emulator, and one with a signature', () => {
    const emulator =
      'Endpoint=sb://localhost:5673;SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true;';
    expect(parseConnectionString(emulator)).toMatchObject({
      host: 'localhost',
      port: 5673,
      isEmulator: true,
    });
    const signed = 'Endpoint=sb://ns/;SharedAccessSignature=SharedAccessSignature sr=x&sig=y';
    expect(parseConnectionString(signed)).toMatchObject({ signature: 'SharedAccessSignature sr=x&sig=y' });
  });

  it('reads what people make of it: line ends, capitals, a signature without its first word', () => {
    const text =
      'Endpoint=sb://ns;\r\nsharedAccessSignature=sr=x&sig=y%3D&se=1&skn=k;UseDevelopmentEmulator=True\n';
    expect(parseConnectionString(text)).toMatchObject({
      signature: 'SharedAccessSignature sr=x&sig=y%3D&se=1&skn=k',
      isEmulator: true,
    });
  });

  it.each([
    'secret-key',
    'Endpoint=sb://ns/;SharedAccessKeyName=secret-key;SharedAccessSignature=',
    'SharedAccessKey=secret-key',
    'Endpoint=sb://ns/;SharedAccessKey=secret-key',
    'Endpoint=secret-key',
  ])('says what is wrong, and nothing of the text: %s', (text) => {
    expect(() => parseConnectionString(text)).toThrow(/^it must/);
    expect(() => parseConnectionString(text)).not.toThrow(/secret-key/);
  });
});

describe('hubOf', () => {
  it('takes the name from either, and not two different ones', () => {
    expect(hubOf('alerts', undefined)).toBe('alerts');
    expect(hubOf(undefined, 'alerts')).toBe('alerts');
    expect(() => hubOf('alerts', 'other')).toThrow('take one of them out');
    expect(() => hubOf(undefined, undefined)).toThrow('say the hub as eventHub');
  });
});
