/**
 * What an operator reads for each file `test/fixtures/config/bad-*.yaml`: place, setting, what is wrong and what to
 * do. `<folder>` stands for the folder of the fixtures.
 */
export const golden: Readonly<Record<string, string | readonly string[]>> = {
  alias: ':18:5 sinks[1]: aliases (*name) are not supported; write the value here',
  choice: ':18:10 log.level: expected debug, info, warn or error, found "warning"; did you mean "warn"?',
  'duplicate-key': ':17:5 sinks[0].host: "host" stands here twice, first in line 15; keep one',
  'duration-without-unit':
    ':12:12 sources[0].every: expected a duration such as "30s", "10m" or "24h", found "60"',
  duration: ':12:12 sources[0].every: expected a duration such as "30s", "10m" or "24h", found "30 sec"',
  'empty-secret-file': ':7:21 tenants[0].credential.clientSecret: file <folder>/secrets/empty is empty',
  empty: ':1:1 nothing is set in this file; config/relay.minimal.yaml is one to begin with',
  everything: [
    ':3:3 state.maxSize: unknown key "maxSize"; there is directory, maxBytes, retention',
    ':7:12 tenants[0].cloud: expected global, usgov, usgov-dod or china, found "us-gov"; did you mean "usgov"?',
    `:11:21 tenants[0].credential.clientSecret: a secret must not stand in the config; write \${env:NAME} or \${file:PATH}, and nothing else`,
    ':15:13 sources[0].tenant: expected the name of a tenant, found "contosso"; did you mean "contoso"?',
    ':16:12 sources[0].every: must be at least 1s, found "500ms"',
    ':21:11 sinks[0].port: must be at least 1, found "0"',
    ':22:21 sinks[0].format.type: expected cef or json, found "leef"',
    ':23:11 sinks[1].name: the same name as sinks[0], found "siem"; give each its own: it is known by it',
    ':25:20 sinks[1].maxEventBytes: expected a number, found "8KiB"',
    ':26:1 dashboard: unknown key "dashboard"; there is state, stop, reconcile, tenants, sources, sinks, server, heartbeat, log',
  ],
  'in-flight':
    ':17:30 sinks[0].delivery.maxInFlight: must be 1 (a sink gets one ordered stream; a second send could overtake the first), found "4"',
  formerly: [
    ':4:15 sinks[0].formerly: expected a name that no sink has now, and sinks[1] has it, found "console"; a sink takes over from one that is not in the config any more',
    ':10:15 sinks[2].formerly: sinks[1] takes over from it already, found "old"; only one of them can',
  ],
  indent:
    ':14:1 wrong indentation; settings that belong together start in the same column, two spaces further in than their heading',
  'indented-too-far': ':14:11 the line after this one is indented too far; give both the same indentation',
  'key-in-the-wrong-place': ':17:5 sinks[0].batchSize: unknown key "batchSize"; it belongs in delivery',
  'list-at-top': ':1:1 expected settings, found a list; a config begins with settings such as "sinks:"',
  listen:
    ':18:11 server.listen: expected an address and port such as "127.0.0.1:9464" or "[::1]:9464", or "off", found "9464"',
  'literal-secret': `:7:21 tenants[0].credential.clientSecret: a secret must not stand in the config; write \${env:NAME} or \${file:PATH}, and nothing else`,
  'merge-key': ':17:5 sinks[0]: merge keys (<<) are not supported; write the settings here',
  'missing-ca': ':4:9 tenants[0].ca: file <folder>/proxy-ca.pem does not exist',
  'missing-key': ':13:5 sinks[0].host: missing; name or address of the receiver',
  'missing-secret-file':
    ':7:21 tenants[0].credential.clientSecret: file <folder>/secrets/nowhere does not exist',
  name: ':13:11 sinks[0].name: expected lower-case letters, digits and "-", a letter first, found "SIEM 1"',
  'no-colon': ':15:5 expected the name of a setting, a colon and a space; write it as "name: value"',
  'no-sinks': ':1:1 sinks: missing; say at least one place to send to, e.g. type: syslog',
  'no-type': ':13:5 sinks[0].type: missing; expected syslog, http, file, stdout or event-hubs',
  'open-brace': ':17:15 a { or [ is not closed; close it, or indent what belongs to it',
  'open-quote': ':15:11 a quote is not closed; put the same quote at the end of the text',
  overlap: ':12:14 sources[0].overlap: must be longer than settle, found "5s"',
  'port-name': ':16:11 sinks[0].port: expected a number, found "syslog"',
  port: ':16:11 sinks[0].port: must be at most 65535, found "65536"',
  reference: `:7:21 tenants[0].credential.clientSecret: a secret must not stand in the config; write \${env:NAME} or \${file:PATH}, and nothing else`,
  retry: ':17:45 sinks[0].delivery.retry.max: must not be shorter than initial, found "1s"',
  'sinks-text': [
    ':1:1 tenants: missing; say at least one directory (tenant) to sign in to',
    ':1:1 sources: missing; say at least one thing to read, e.g. type: graph-alerts',
    ':1:8 sinks: expected a list ("- " before each entry), found "stdout"',
  ],
  'size-too-small': ':18:13 state.maxBytes: must be at least 64MiB, found "10MiB"',
  start:
    ':12:16 sources[0].startFrom: expected a duration such as "30s", "10m" or "24h", or a time such as "2026-05-31T08:00:00Z", found "yesterday"',
  tab: ':15:1 a tab in the indentation; indent with spaces',
  tag: ':7:21 tags (!name) are not supported; leave the tag out, or put a value that begins with ! in quotes',
  'tenant-id':
    ':3:15 tenants[0].tenantId: expected the GUID of the tenant (Entra ID, "Tenant ID"), found "contoso.onmicrosoft.com"',
  'two-colons': ':13:11 two colons in one line; put a value that has ": " in it in quotes',
  'two-documents': ':17:1 a second document begins here ("---"); a config is one document',
  'two-sinks-of-one-name':
    ':17:11 sinks[1].name: the same name as sinks[0], found "siem"; give each its own: it is known by it',
  'type-unheard-of': ':14:11 sinks[0].type: expected syslog, http, file, stdout or event-hubs, found "kafka"',
  'too-many-in-flight': ':16:30 sinks[0].delivery.maxInFlight: must be at most 64, found "65"',
  type: ':14:11 sinks[0].type: expected syslog, http, file, stdout or event-hubs, found "sylog"; did you mean "syslog"?',
  'typo-in-key': ':16:5 sinks[0].prot: unknown key "prot"; did you mean "port"?',
  'typo-in-part': ':12:1 sink: unknown key "sink"; did you mean "sinks"?',
  'unknown-tenant':
    ':11:13 sources[0].tenant: expected the name of a tenant, found "contosso"; did you mean "contoso"?',
  'unknown-tenant-of-sink': ':16:13 sinks[0].tenant: expected the name of a tenant; did you mean "contoso"?',
  'unknown-variable': ':7:21 tenants[0].credential.clientSecret: environment variable NOT_SET is not set',
};
