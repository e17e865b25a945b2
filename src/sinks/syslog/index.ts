import { hostname } from 'node:os';
import { z } from 'zod';
import type { Plugin } from '../../core/plugin.ts';
import type { Sink } from '../../core/sink.ts';
import { duration, port } from '../../lib/fields.ts';
import type { SinkContext } from '../context.ts';
import { framings } from './frame.ts';
import { facilities } from './header.ts';
import { SyslogSink } from './syslog-sink.ts';
import { connectTcp } from './transports/tcp.ts';

const schema = z.strictObject({
  type: z.literal('syslog'),
  transport: z.enum(['tcp']).default('tcp').describe('How the bytes travel.'),
  host: z.string().min(1).describe('Name or address of the receiver.'),
  port: port().describe('Port of the receiver.'),
  framing: z
    .enum(framings)
    .default('lf')
    .describe('How the receiver tells events apart (RFC 6587): a line feed, or their length in front.'),
  header: z.enum(['rfc5424']).default('rfc5424').describe('Form of the syslog header.'),
  facility: z.enum(facilities).default('local0').describe('Syslog facility.'),
  hostName: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/)
    .optional()
    .describe('HOSTNAME of the header; default: of this machine.'),
  appName: z
    .string()
    .regex(/^[\x21-\x7e]{1,48}$/)
    .default('defender-relay')
    .describe('APP-NAME of the header.'),
  confirm: z
    .strictObject({
      by: z.enum(['close']).default('close').describe('What counts as the receiver having read all.'),
      every: duration({ min: '100ms', max: '5m' })
        .prefault('5s')
        .describe('Longest time that something written waits for its confirmation to be asked for.'),
    })
    .prefault({}),
});

export type SyslogSettings = z.output<typeof schema>;

export const syslog: Plugin<typeof schema, Sink, SinkContext> = {
  schema,
  summary: 'Syslog over TCP, confirmed by half-closing the connection.',
  create: (settings, { timeoutMs }) => {
    const { host, port, facility, appName, framing, confirm } = settings;
    const peer = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return new SyslogSink({
      peer,
      connect: (signal) => connectTcp({ host, port, peer, timeoutMs }, signal),
      header: { facility, appName, hostName: settings.hostName ?? hostname() },
      framing,
      confirmEveryMs: confirm.every,
      timeoutMs,
    });
  },
};
