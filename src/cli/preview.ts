import { randomInt } from 'node:crypto';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import { UsageError } from '../core/errors.ts';
import { matches } from '../core/match.ts';
import { ownExamples } from '../core/own-examples.ts';
import { ownRecord } from '../core/own-record.ts';
import { buildPlugin } from '../core/plugin.ts';
import { createdOf, isOwn, type JsonObject, type RelayRecord, type SourceRecord } from '../core/record.ts';
import type { Rendered, Sink } from '../core/sink.ts';
import { msOfTicks, ticksOfMs } from '../core/ticks.ts';
import { formats } from '../formats/index.ts';
import { Closers } from '../lib/closers.ts';
import { parseJson } from '../lib/json.ts';
import { version } from '../lib/version.ts';
import { openGraph } from '../net/graph.ts';
import { openLogger } from '../observe/logger.ts';
import { sinks } from '../sinks/index.ts';
import { alertRecord, sources } from '../sources/index.ts';
import { type Given, inputName, readAlerts, unlikeAlert } from './input.ts';
import { colorsFor, type Io, isTerminal } from './io.ts';

export interface PreviewFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly input?: string;
  /** What the relay tells of itself, in place of alerts. */
  readonly own?: boolean;
  readonly sink?: string;
  readonly limit: number;
}

/** Shows what each sink would be sent, header and all. Sends nothing and changes nothing. */
export async function previewCommand(flags: PreviewFlags, io: Io): Promise<number> {
  const records = recordsFor(flags, io);
  const { config } = loadConfig(flags.config, { needs: ['sinks'] });
  const log = openLogger(config.log.level, io.stderr, secretsOf(config));
  const chosen = config.sinks.filter(({ name }) => flags.sink === undefined || name === flags.sink);
  if (chosen.length === 0) {
    const names = config.sinks.map(({ name }) => name).join(', ');
    throw new UsageError(`--sink ${flags.sink}: there is no such sink in the config; it has ${names}`);
  }
  const views = chosen.map((settings) => view(settings, openSink(settings, log)));
  const print = flags.json ? printJson(io) : printText(io, chosen.length > 1);
  const left = new Map(chosen.map(({ name }) => [name, 0]));
  let count = 0;
  for await (const record of records) {
    count++;
    for (const show of views) {
      const shown = show(record);
      if (shown.events.length === 0) left.set(shown.sink, left.get(shown.sink)! + 1);
      print(shown);
    }
  }
  for (const [sink, without] of left) {
    if (count > 0 && without === count)
      io.stderr.write(
        `sink ${sink}: its ${flags.own ? 'selfEvents' : 'match'} leaves out all that there is: nothing to show\n`,
      );
  }
  return 0;
}

function recordsFor(flags: PreviewFlags, io: Io): AsyncGenerator<RelayRecord> | RelayRecord[] {
  const { own, input, limit } = flags;
  if (own && input !== undefined) throw new UsageError('--own and --input: one of them, please');
  if (own) return ownRecords(Date.now());
  return input === undefined ? fromGraph(flags, io) : fromInput(input, limit, io);
}

/** One of each kind. */
function ownRecords(nowMs: number): RelayRecord[] {
  return ownExamples(nowMs).map((event, index) =>
    ownRecord(event, ticksOfMs(nowMs) + BigInt(index), nowMs, 0),
  );
}

type SinkSettings = Config['sinks'][number];

interface Shown {
  readonly sink: string;
  readonly record: RelayRecord;
  readonly events: readonly string[];
}

function openSink(settings: SinkSettings, log: ReturnType<typeof openLogger>): Sink {
  return buildPlugin(sinks, settings, { name: settings.name, log, timeoutMs: settings.delivery.timeout });
}

/** What a sink would be sent, record after record, with running numbers as in a new stream. */
function view(settings: SinkSettings, sink: Sink): (record: RelayRecord) => Shown {
  const format = buildPlugin(formats, settings.format, { version });
  const stream = randomInt(1, 2 ** 31);
  const maxBytes = settings.maxEventBytes - sink.headerBytes;
  let sequence = 1;
  return (record) => {
    const wanted = isOwn(record) ? settings.selfEvents : matches(settings.match, record);
    if (!wanted) return { sink: settings.name, record, events: [] };
    const texts = format(record, { stream, sequence, sentMs: Date.now(), maxBytes });
    const events = texts.map((text) => Buffer.from(text));
    const rendered: Rendered = { record, stream, sequence, events };
    sequence += events.length;
    return { sink: settings.name, record, events: sink.messages(rendered).map(String) };
  };
}

function printJson(io: Io): (shown: Shown) => void {
  return ({ sink, record, events }) => {
    for (const [index, event] of events.entries()) {
      io.stdout.write(
        `${JSON.stringify({ sink, id: record.id, part: index + 1, parts: events.length, event })}\n`,
      );
    }
  };
}

/** Plain events in a pipe; with several sinks, or for a person, told apart by a heading where the sink changes. */
function printText(io: Io, several: boolean): (shown: Shown) => void {
  const colors = colorsFor(io.stdout, io.env);
  const headings = several || isTerminal(io.stdout);
  let last: string | undefined;
  return ({ sink, events }) => {
    if (events.length === 0) return;
    if (headings && sink !== last) io.stdout.write(colors.bold(`# ${sink}\n`));
    last = sink;
    io.stdout.write(`${events.join('\n')}\n`);
  };
}

async function* fromInput(file: string, limit: number, io: Io): AsyncGenerator<RelayRecord> {
  const given = await readAlerts(file, io);
  if (given.length === 0) io.stderr.write(`${inputName(file)}: has no alerts: nothing to show\n`);
  const alerts = onlyAlerts(given, io);
  for (const { alert } of alerts.slice(0, limit)) {
    const record = alertRecord(alert);
    if (record) yield told(record, 'input', 'preview');
  }
  if (alerts.length > limit)
    io.stderr.write(`showed ${limit} of ${alerts.length} alerts; --limit N shows more\n`);
}

/** @throws {UsageError} nothing of what was given is an alert */
function onlyAlerts(given: readonly Given[], io: Io): Given[] {
  const alerts = given.filter(({ alert }) => unlikeAlert(alert) === undefined);
  const others = given.length - alerts.length;
  if (others === 0) return alerts;
  const first = given.find(({ alert }) => unlikeAlert(alert) !== undefined)!;
  const problem = `${first.where}: ${unlikeAlert(first.alert)}`;
  if (alerts.length === 0) throw new UsageError(`${problem}. Expected ${EXPECTED}`);
  const more = others === 1 ? '' : `; so ${others === 2 ? 'is' : 'are'} ${others - 1} more`;
  io.stderr.write(`${problem}; it is left out${more}\n`);
  return alerts;
}

const EXPECTED =
  'an alert as /security/alerts_v2 of Graph gives it, an array of alerts, {"value": [...]}, or an alert a line';

/** Tries at one request to Graph: somebody waits for the answer, or for the reason why there is none. */
const ATTEMPTS = 3;

const clocks = { now: Date.now, steady: () => performance.now(), miscounted: () => {}, comparedMs: 0 };

/** The first alerts that the configured sources give. */
async function* fromGraph(flags: PreviewFlags, io: Io): AsyncGenerator<RelayRecord> {
  const { config } = loadConfig(flags.config);
  const log = openLogger(config.log.level, io.stderr, secretsOf(config));
  const closers = new Closers();
  try {
    const graphs = new Map(
      config.tenants.map((settings) => {
        const observer = { requested: () => {}, throttled: () => {} };
        const graph = openGraph(settings, { log, observer, attempts: ATTEMPTS });
        return [settings.name, closers.add(`tenant ${settings.name}`, graph)];
      }),
    );
    let left = flags.limit;
    for (const settings of config.sources) {
      const { name, tenant } = settings;
      const source = closers.add(
        `source ${name}`,
        buildPlugin(sources, settings, { name, log, ...clocks, graph: (wanted) => graphs.get(wanted)! }),
      );
      const signal = new AbortController().signal;
      for await (const { records } of source.read(undefined, signal)) {
        for (const record of records.slice(0, left)) yield told(record, name, tenant);
        left -= Math.min(left, records.length);
        if (left > 0) continue;
        io.stderr.write(`showed the first ${flags.limit} alerts; --limit N shows more, if there are more\n`);
        return;
      }
    }
    if (left === flags.limit)
      io.stderr.write('Graph has no alerts as new as startFrom asks for: nothing to show\n');
  } finally {
    await closers.close();
  }
}

/** A record as if the journal had never seen it. */
function told(read: SourceRecord, source: string, tenant: string): RelayRecord {
  const { created: _, json, fingerprint: __, ...record } = read;
  const body = parseJson(json) as JsonObject;
  const createdMs = msOfTicks(createdOf(read));
  return { ...record, source, tenant, unrevised: 0, outcome: 'new', createdMs, body };
}
