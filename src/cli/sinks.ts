import { loadConfig } from '../config/load.ts';
import { RelayError, UsageError } from '../core/errors.ts';
import { type PeekedSink, peekSinks } from '../journal/peek.ts';
import { spellCount, spellDuration } from '../lib/spell.ts';
import { type GapsStatus, gapsStatus } from '../observe/status.ts';
import { administer, noJournal } from './administer.ts';
import { type Colors, colorsFor, type Io } from './io.ts';
import { type Cell, table } from './table.ts';

interface Flags {
  readonly config?: string;
  readonly json?: boolean;
}

type Output = Pick<Io, 'stdout' | 'env'>;

/** What `sinks list --json` says of each sink. Times are ISO 8601 in UTC; `null` is what is not so. */
interface Listed {
  readonly name: string;
  /**
   * `configured`; `new`: no relay has been started with it; `orphaned`: it has left the config; `leaving`: so it is,
   * and the next start will say so.
   */
  readonly state: 'configured' | 'new' | 'orphaned' | 'leaving';
  readonly pending: number;
  readonly oldestPending: string | null;
  readonly gaps: GapsStatus | null;
  readonly orphanedSince: string | null;
  /** An orphaned one is forgotten then, or earlier, when others need the room. */
  readonly forgottenAt: string | null;
}

/** Lists the sinks of the config, and those that have left it and still have something in the journal (K8). */
export async function sinksListCommand(flags: Flags, io: Output): Promise<number> {
  const { directory, retentionMs, names } = load(flags, io);
  const peeked = peekSinks(directory) ?? [];
  const fresh = names
    .filter((name) => !peeked.some((sink) => sink.name === name))
    .map((name): PeekedSink => ({ name, pending: 0, oldestPendingMs: undefined, orphanedMs: undefined }));
  const known = new Set(peeked.map(({ name }) => name));
  const sinks = [...peeked, ...fresh].map((sink) => listed(sink, { names, known, retentionMs }));
  const now = Date.now();
  const text = flags.json
    ? JSON.stringify({ sinks }, null, 2)
    : sinkTable(sinks, now, colorsFor(io.stdout, io.env)).join('\n');
  io.stdout.write(`${text}\n`);
  return 0;
}

/** Lets go of a sink that has left the config, with what waits for it. */
export async function sinksForgetCommand(
  { args: [name = ''], ...flags }: Flags & { readonly args: readonly string[] },
  io: Output & Pick<Io, 'stderr'>,
): Promise<number> {
  const { state, directory, names } = load(flags, io);
  if (names.includes(name))
    throw new UsageError(`sink ${name} is in the config: take it out first, or it would only begin anew`);
  const found = peekSinks(directory);
  if (!found) throw noJournal(directory);
  const sink = found.find((each) => each.name === name);
  if (!sink) {
    const all = found.map((each) => each.name).join(', ');
    throw new UsageError(`the journal in ${directory} has no sink ${name}; it has ${all || 'none'}`);
  }
  const outcome = await administer(state, 'forget', { sink: name }, io);
  if (outcome === 'configured')
    throw new RelayError(`the relay that runs still has sink ${name}: start it again without it first`);
  const { pending, gaps } = sink;
  const missed = gaps ? `, nor what it missed before, at most ${spellCount(gaps.records, 'record')}` : '';
  io.stdout.write(
    flags.json
      ? `${JSON.stringify({ forgotten: name, pending, ...(gaps && { gaps: gapsStatus(gaps) }) }, null, 2)}\n`
      : `sink ${name} is forgotten; ${pending === 0 ? 'nothing waited for it' : `${spellCount(pending, 'record')} that waited for it will not be told`}${missed}\n`,
  );
  return 0;
}

function load(flags: Flags, { env }: Output) {
  const { config, effective } = loadConfig(flags.config, { needs: [], ...(env && { env }) });
  const { directory, retention } = config.state;
  // Of what is set for a sink only its name is needed, and that has no secret in it.
  const sinks = effective().sinks as readonly { readonly name: string }[];
  return { state: config.state, directory, retentionMs: retention, names: sinks.map(({ name }) => name) };
}

function listed(
  { name, pending, oldestPendingMs, gaps, orphanedMs }: PeekedSink,
  from: { names: readonly string[]; known: ReadonlySet<string>; retentionMs: number },
): Listed {
  const isHere = from.names.includes(name);
  return {
    name,
    state: isHere
      ? from.known.has(name)
        ? 'configured'
        : 'new'
      : orphanedMs === undefined
        ? 'leaving'
        : 'orphaned',
    pending,
    oldestPending: iso(oldestPendingMs),
    gaps: gapsStatus(gaps),
    orphanedSince: iso(orphanedMs),
    forgottenAt: iso(orphanedMs === undefined ? undefined : orphanedMs + from.retentionMs),
  };
}

function sinkTable(sinks: readonly Listed[], now: number, colors: Colors): string[] {
  if (sinks.length === 0) return ['no sinks'];
  const rows = sinks.map(
    ({ name, state, pending, oldestPending, gaps, orphanedSince, forgottenAt }): Cell[] => [
      name,
      state === 'configured' ? state : { text: state, paint: colors.yellow },
      String(pending),
      span(oldestPending, now),
      gaps ? { text: `at most ${gaps.records}`, paint: colors.yellow } : '-',
      span(orphanedSince, now),
      forgottenAt === null ? '-' : `in ${spellDuration(Math.max(0, Date.parse(forgottenAt) - now))}`,
    ],
  );
  return table(['SINK', 'STATE', 'PENDING', 'OLDEST', 'GAPS', 'ORPHANED FOR', 'FORGOTTEN'], rows, colors);
}

const span = (since: string | null, now: number): string =>
  since === null ? '-' : spellDuration(Math.max(0, now - Date.parse(since)));
const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
