import { type OwnField, ownEventIds, ownEvents } from '../src/core/own-event.ts';
import { bodyName } from '../src/core/own-record.ts';
import { defaultSeverities } from '../src/formats/cef/header.ts';
import { type OwnPlace, ownPlaces } from '../src/formats/cef/own.ts';

export const OWN_EVENTS = 'docs/own-events.md';

const intro = `# What the relay tells of itself

<!-- Made by \`npm run docs\` from the tables in the code; edit those. -->

Each sink is told, beside the alerts, how the relay is, so that the SIEM notices by itself when something is wrong. These events pass every
\`match\`; \`selfEvents: false\` keeps a sink free of them and of heartbeats. \`defender-relay preview --own\` shows one of each, as each
of your sinks would be sent it.

- They are records as alerts are: journaled, delivered at least once, in order, with running numbers. One that tells of a sink that is down
  reaches the other sinks at once, and that sink when it is back. A relay with a single sink that is down can tell nobody but by
  its log, \`/readyz\` and metrics: in the SIEM that is the missing heartbeat.
- In CEF vendor and product are \`defender-relay\`, as of heartbeats, and the id below is the Device Event Class ID (signature id). In JSON \`kind\` is
  \`relay\`, and the id is \`body.event\`.
- An id is for ever, and so is what its fields mean. Further ids may come.
- \`externalId\` (JSON: \`id\`) names the thing that an event is about, such as \`sink:siem\`; the last event of a thing says how it stands.
  After a \`relay-started\` nothing is failing, paused or silent but what is told again.
- A fault is told when it has lasted: a sink after a minute, a source after five of its intervals, a pause of all sources after ten
  seconds; the end of one only if its beginning was told. The same thing is told at most six times in an hour. Of one kind at most 60 events
  are told in an hour; the next one then says how many were not (\`untold\`).
- When the journal is full 1 % of \`state.maxBytes\` is left for cursors and for these events.
- \`detail\` is in the words of whoever said it (Graph, a receiver, the file system), shortened, and with the secrets of the config
  struck out. Everything else is made of names of your config and of fixed words.

A heartbeat is none of these: it is made at the sink and not journaled, has the id \`heartbeat\`, no running number of its own, and says the last one
that was given before it (\`cn1\` \`lastSequence\`).
`;

const rules = `## Rules

Ready rules for the two things that only the SIEM can see, a heartbeat that does not come and a hole in the running numbers, are in
\`deploy/siem\`: [ArcSight](../deploy/siem/arcsight/README.md), [QRadar](../deploy/siem/qradar/README.md),
[Splunk](../deploy/siem/splunk/README.md), [Microsoft Sentinel](../deploy/siem/sentinel/README.md). What all of them go by is in
[deploy/siem](../deploy/siem/README.md).
`;

/** The page with the table of own events. */
export function ownEventsPage(): string {
  const head = '| id | name | severity | says | means |\n| --- | --- | --- | --- | --- |\n';
  const rows = ownEventIds.map((id) => {
    const { name, severity, fields, maybe, means } = ownEvents[id];
    const said = [...fields.map(code), ...maybe.map((field: OwnField) => `(${code(field)})`)].join(', ');
    return `| \`${id}\` | ${name} | ${severity} | ${said} | ${means} |\n`;
  });
  const places = (Object.keys(ownPlaces) as OwnField[]).map((field) => {
    const { key, label }: OwnPlace = ownPlaces[field];
    return `| ${code(field)} | \`${key}\`${label ? `, with label \`${label}\`` : ''} | ${meanings[field]} |\n`;
  });
  const { informational, low, medium, high } = defaultSeverities;
  const severities = `In CEF a severity is the number that an alert of it has: by default informational ${informational}, low ${low}, medium ${medium}, high ${high}.`;
  return [
    intro,
    `## Ids\n\n${severities} What stands in brackets may be left out.\n\n${head}${rows.join('')}`,
    `## Fields\n\n| JSON, in \`body\` | CEF | |\n| --- | --- | --- |\n${places.join('')}`,
    'Besides: `msg` (JSON: `body.message`) says it in a sentence, `rt` (`time`) is when it happened, `cat` is `relay`, and `externalId`,\n' +
      '`devicePayloadId`, `dvcpid`, `cn3` and `outcome` are what they are of an alert.\n',
    rules,
  ].join('\n');
}

const code = (field: OwnField): string => `\`${bodyName(field)}\``;

const meanings: Readonly<Record<OwnField, string>> = {
  sinceMs: 'time: since when',
  untilMs: 'time: until when',
  reason: 'a fixed word',
  tenant: 'name in the config',
  source: 'name in the config',
  sink: 'name in the config',
  product: '`serviceSource` of Graph, or `other`',
  detail: 'at most 200 characters of what others have said',
  version: 'of the program',
  count: 'how many',
  untold: 'events of this kind that were not told before this one; only where there are any',
  lastSeenMs: 'time: something new was seen last',
  countedSinceMs: 'time: `count` is since then',
  expiresMs: 'time: valid until then',
  percent: 'of `state.maxBytes`',
  usualSeconds: 'mean time between two alerts',
  longestSeconds: 'longest time between two alerts',
  latenessSeconds: '95 % of the alerts were seen within so long after their creation',
};
