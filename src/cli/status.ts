import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type Peeked, peekJournal } from '../journal/peek.ts';
import { bracketed } from '../lib/host.ts';
import { version } from '../lib/version.ts';
import { type Problem, problemsOf } from '../observe/readiness.ts';
import { type Status, statusOf } from '../observe/status.ts';
import { progressOf } from '../sources/index.ts';
import { colorsFor, type Io } from './io.ts';
import { statusText } from './status-text.ts';

type Settings = Pick<Config, 'state' | 'server' | 'sources'>;

/** A relay that takes longer does not answer. */
const ANSWER_MS = 6_000;

/**
 * Tells how the relay is: of one that runs what it says itself, else what its journal says. Changes nothing, and asks
 * for no secret of the config.
 *
 * @returns the exit code: 0 it runs and is ready, 1 it is not
 */
export async function statusCommand(
  flags: { config?: string; json?: boolean },
  io: Pick<Io, 'stdout' | 'env'>,
): Promise<number> {
  const needs = ['sources'] as const;
  const { config } = loadConfig(flags.config, { needs, ...(io.env && { env: io.env }) });
  const status = (await ask(config)) ?? look(config);
  io.stdout.write(
    flags.json
      ? `${JSON.stringify(status, null, 2)}\n`
      : statusText(status, { now: Date.now(), colors: colorsFor(io.stdout, io.env) }),
  );
  return status.ready ? 0 : 1;
}

/** What the relay of this config says; nothing when none answers. */
async function ask({ state, server }: Settings): Promise<Status | undefined> {
  const url = addressOf(server.listen);
  if (url === undefined) return undefined;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const status = (await answer.json()) as Status;
    // Another relay may have the port.
    return status.directory === state.directory ? status : undefined;
  } catch {
    return undefined;
  }
}

function addressOf(listen: Config['server']['listen']): string | undefined {
  // Any port: nobody knows which.
  if (listen === 'off' || listen.port === 0) return undefined;
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const host = everywhere[listen.host] ?? listen.host;
  return `http://${bracketed(host)}:${listen.port}/status`;
}

/** What the journal says by itself. */
function look({ state, server, sources }: Settings): Status {
  const { directory, maxBytes } = state;
  const peeked = peekJournal(directory, maxBytes);
  const typeOf = (name: string) => sources.find((source) => source.name === name)?.type ?? '';
  const progress = (peeked?.sources ?? []).map(({ source, tenant, checkpoint }) => {
    return { source, tenant, progress: progressOf(typeOf(source), checkpoint) };
  });
  const now = { atMs: Date.now(), steadyMs: performance.now() };
  const vitals = { started: now, stopping: false, sources: [], sinks: [] };
  const problems = [
    ...absence(peeked, directory, addressOf(server.listen)),
    ...(peeked ? problemsOf(vitals, peeked.stats, now) : []),
  ];
  return statusOf({
    version,
    directory,
    running: peeked?.running ?? false,
    problems,
    now,
    vitals: undefined,
    stats: peeked?.stats,
    progress,
    coverage: peeked?.coverage ?? [],
  });
}

/** Why no relay has answered, if that is a problem. */
function absence(peeked: Peeked | undefined, directory: string, url: string | undefined): Problem[] {
  const problem = (message: string): Problem[] => [{ part: 'relay', message }];
  if (!peeked) return problem(`there is no journal in ${directory}: no relay has been started there`);
  if (!peeked.running) return problem(`no relay runs on ${directory}`);
  if (url === undefined) return [];
  return problem(
    `a relay has ${directory}, but does not answer at ${url}: it is starting or stopping, or hangs`,
  );
}
