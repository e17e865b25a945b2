import { describe, expect, it } from 'vitest';
import { syslog } from '../../../src/sinks/syslog/index.ts';
import { rendered } from '../../contracts/sink.contract.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const parse = (settings: object) => syslog.schema.safeParse({ type: 'syslog', ...settings });
const problems = (settings: object) =>
  parse(settings).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
const header = (settings: object) => {
  const parsed = syslog.schema.parse({ type: 'syslog', host: 'siem', hostName: 'relay', ...settings });
  const sink = syslog.create(parsed, { name: 'siem', log, timeoutMs: 1000 });
  return String(sink.messages(rendered(1)[0]!)[0]);
};

describe('the settings of a syslog sink', () => {
  it.each([
    [{ host: 'siem' }],
    [{ host: 'siem', transport: 'udp', confirm: { by: 'none' } }],
    [
      {
        hosts: ['a', 'b:1514', '192.0.2.1', '192.0.2.1:514', '2001:db8::1', '[2001:db8::1]:514'],
        port: 6514,
      },
    ],
    [{ host: 'siem', transport: 'tls', tls: { serverName: 'siem.contoso.local', minVersion: '1.3' } }],
    [{ host: 'siem', header: 'rfc3164', timezone: 'Europe/Berlin', tag: 'defender' }],
    [{ host: 'siem', header: 'siem-agent', siemAgent: { time: 'rfc3164', pri: true, host: true } }],
    [{ host: 'siem', confirm: { by: 'delay', after: '1m' } }],
    [{ host: 'siem', transport: 'relp', header: 'rfc3164' }],
    [{ host: 'siem', transport: 'relp-tls', tls: { serverName: 'siem.contoso.local' } }],
  ])('may be %j', (settings) => {
    expect(problems(settings)).toEqual([]);
  });

  it.each([
    [{}, 'host: missing; name or address of the receiver'],
    [{ host: 'a', hosts: ['b'] }, 'hosts: give "host" or "hosts", not both'],
    [{ hosts: ['a:1', 'b:2'], port: 3 }, 'port: every one of "hosts" has a port of its own; take this out'],
    [{ hosts: ['a', 'tcp://b'] }, 'hosts.1: expected a name or address, with or without a port'],
    [{ hosts: ['a:0'] }, 'hosts.0: expected a name or address, with or without a port'],
    [{ hosts: ['a:65536'] }, 'hosts.0: expected a name or address, with or without a port'],
    [{ host: 'a', tls: {} }, 'tls: needs "transport: tls"'],
    [{ host: 'a', transport: 'udp', framing: 'lf' }, 'framing: has no meaning with "transport: udp"'],
    [{ host: 'a', transport: 'udp', confirm: { by: 'close' } }, 'confirm.by: must be none'],
    [{ host: 'a', transport: 'relp', tls: {} }, 'tls: needs "transport: tls" or "relp-tls"'],
    [{ host: 'a', transport: 'relp', framing: 'lf' }, 'framing: has no meaning with "transport: relp"'],
    [{ host: 'a', transport: 'relp-tls', confirm: {} }, 'confirm: has no meaning with "transport: relp-tls"'],
    [{ host: 'a', tag: 'x' }, 'tag: needs "header: rfc3164"'],
    [{ host: 'a', header: 'rfc3164', tag: 'x y' }, 'tag: expected letters'],
    [{ host: 'a', timezone: 'Berlin' }, 'timezone: expected a time zone'],
    [{ host: 'a', transport: 'tls', tls: { cert: 'c' } }, 'tls.cert: needs its private key in "key"'],
    [{ host: 'a', transport: 'tls', tls: { key: 'k' } }, 'tls.key: needs its certificate in "cert"'],
    [{ host: 'a', transport: 'tls', tls: { fingerprint: 'AA:BB' } }, 'tls.fingerprint: expected the SHA-256'],
    [{ host: 'a', transport: 'tls', tls: { insecure: true, ca: 'c' } }, 'tls.insecure: trusts anybody'],
  ])('may not be %j', (settings, problem) => {
    expect(problems(settings).join('\n')).toContain(problem);
  });

  it.each([
    ['tcp', { port: 514, framing: 'lf', confirm: { by: 'close', every: '5s', after: '30s' } }],
    ['relp', { port: 20_514 }],
    ['relp-tls', { port: 20_514 }],
  ] as const)('come to what is usual with %s', (transport, expected) => {
    expect(syslog.implied?.({ type: 'syslog', host: 'siem', transport })).toEqual(expected);
  });

  it.each(['relp', 'relp-tls'] as const)('with %s it goes by acknowledgements', (transport) => {
    const parsed = syslog.schema.parse({ type: 'syslog', host: 'siem', transport });
    const sink = syslog.create(parsed, { name: 'siem', log, timeoutMs: 1000 });
    expect(sink.confirms).toBe('acknowledgement');
  });

  it('chooses the header', () => {
    expect(header({})).toBe(
      '<131>1 2025-03-04T10:20:01.326Z relay defender-relay 12345 alert [meta sequenceId="1"] event 1',
    );
    expect(header({ header: 'rfc3164', timezone: 'Asia/Tokyo', facility: 'auth' })).toBe(
      '<35>Mar  4 19:20:01 relay event 1',
    );
    expect(header({ header: 'siem-agent' })).toBe('2025-03-04T10:20:01.326Z event 1');
  });
});
