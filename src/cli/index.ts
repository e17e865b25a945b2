import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../lib/measures.ts';
import { version } from '../lib/version.ts';
import { faultsHelp } from './faults-help.ts';
import { type Io, processIo } from './io.ts';
import { exitCodeOf, messageOf } from './trouble.ts';

/**
 * The command line. Output for reading goes to stdout, logs to stderr.
 *
 * @param exit ends the process at once; called at a second signal, and when nobody reads what is left to write
 * @returns the exit code: 0 fine; 1 failed at run time or a check failed; 2 bad config or usage
 */
export async function main(args: readonly string[], exit: Io['exit']): Promise<number> {
  const io = processIo(exit);
  let exitCode = 0;
  // Unheard, an error of the standard streams would end the process. A reader that has enough (`| head`) is no
  // fault, and the stdout sink tells by itself; without standard error there is nobody to tell.
  io.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return;
    io.stderr.write(`defender-relay: cannot write to standard output: ${message}\n`);
    process.exitCode = 1;
  });
  io.stderr.on('error', () => {});
  const program = describeProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const unforeseen = () => `defender-relay: ${(error as Error)?.stack ?? String(error)}`;
    io.stderr.write(`${messageOf(error) ?? unforeseen()}\n`);
    return exitCodeOf(error);
  }
}

type Run<Flags> = (flags: Flags & { readonly args: readonly string[] }, io: Io) => Promise<number>;

function describeProgram(io: Io, ended: (code: number) => void): Command {
  const program = new Command('defender-relay')
    .description(
      'Relays Microsoft Defender alerts from Microsoft Graph to your SIEM, and loses nothing on the way.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError('(see --help)');

  /** Wires a command: its action gives the exit code. Loaded when it is called: all of them together take a second. */
  const command = <Flags>(
    name: string,
    summary: string,
    load: () => Promise<Run<Flags>>,
    parent = program,
  ): Command =>
    parent
      .command(name)
      .description(summary)
      .action(async (...given: unknown[]) => {
        const called = given.at(-1) as Command;
        const run = await load();
        ended(await run({ ...called.opts<Flags & object>(), args: called.args }, io));
      });

  const config = () =>
    new Option(
      '--config <file>',
      'the config (default: config/relay.yaml, then /etc/defender-relay/relay.yaml)',
    );
  const json = () => new Option('--json', 'JSON for programs in place of text for people');

  command(
    'run',
    'run until SIGTERM or SIGINT; SIGHUP loads the config again',
    async () => (await import('./run.ts')).runCommand,
  )
    .addOption(config())
    .option('--watch', 'load the config again when its file changes, too');

  command(
    'validate',
    'tell every problem of the config, with line and path; no network',
    async () => (await import('./validate.ts')).validateCommand,
  )
    .addOption(config())
    .addOption(json());

  command(
    'show',
    'show the config with all defaults, secrets as ***',
    async () => (await import('./show.ts')).showCommand,
  )
    .addOption(config())
    .addOption(json());

  command(
    'preview',
    'show what each sink would be sent; sends nothing, changes nothing',
    async () => (await import('./preview.ts')).previewCommand,
  )
    .addOption(config())
    .addOption(json())
    .option(
      '--input <file>',
      'alerts to show in place of Graph’s: one, an array, {"value": [...]}, or one a line; - for stdin',
    )
    .option('--own', 'one of each event that the relay tells of itself, in place of alerts')
    .option('--sink <name>', 'only this sink')
    .option('--limit <n>', 'most alerts to show', wholeNumber, 20);

  command(
    'status',
    'tell how the relay is; exit code 1 when it does not run, or is not ready',
    async () => (await import('./status.ts')).statusCommand,
  )
    .addOption(config())
    .addOption(json());

  const time = (flag: string, meaning: string) =>
    new Option(
      `${flag} <time>`,
      `${meaning}: an ISO time, or a duration back such as 48h`,
    ).makeOptionMandatory();
  command(
    'reconcile',
    'list what Graph has against what each sink was given; exit code 1 when something is missing and stays so',
    async () => (await import('./reconcile.ts')).reconcileCommand,
  )
    .addOption(config())
    .addOption(json())
    .addOption(time('--from', 'beginning'))
    .addOption(time('--to', 'end'))
    .option('--fix', 'deliver what is missing, marked as repair, and refill gaps');

  command(
    'replay',
    'tell a sink again what was updated in a range of time, marked as replay; exit code 1 when not all could be',
    async () => (await import('./replay.ts')).replayCommand,
  )
    .addOption(config())
    .addOption(json())
    .addOption(new Option('--sink <name>', 'the sink').makeOptionMandatory())
    .addOption(time('--from', 'beginning'))
    .addOption(time('--to', 'end'))
    .option('--max-per-second <n>', 'most records a second', positiveNumber, 100);

  const sinks = program
    .command('sinks')
    .description('the sinks that the journal knows; works on a running relay, and on a stopped one’s state');
  command(
    'list',
    'list them, also those that have left the config',
    async () => (await import('./sinks.ts')).sinksListCommand,
    sinks,
  )
    .addOption(config())
    .addOption(json());
  command(
    'forget <name>',
    'let go of one that has left the config',
    async () => (await import('./sinks.ts')).sinksForgetCommand,
    sinks,
  )
    .addOption(config())
    .addOption(json());

  const letters = program
    .command('dead-letters')
    .description('what a sink refused or a source cannot read; works as sinks does');
  command(
    'list',
    'list the newest',
    async () => (await import('./dead-letters.ts')).deadLettersListCommand,
    letters,
  )
    .addOption(config())
    .addOption(json())
    .option('--sink <name>', 'only of this sink')
    .option('--source <name>', 'only of this source')
    .option('--limit <n>', 'most to list', countingNumber, 100);
  command(
    'show <id>',
    'show one whole',
    async () => (await import('./dead-letters.ts')).deadLettersShowCommand,
    letters,
  )
    .addOption(config())
    .addOption(json());
  const allOf = () => new Option('--sink <name>', 'all of this sink');
  command(
    'retry [ids...]',
    'send them again, each to its sink, marked as retry',
    async () => (await import('./dead-letters.ts')).deadLettersRetryCommand,
    letters,
  )
    .addOption(config())
    .addOption(json())
    .addOption(allOf());
  command(
    'drop [ids...]',
    'let go of them',
    async () => (await import('./dead-letters.ts')).deadLettersDropCommand,
    letters,
  )
    .addOption(config())
    .addOption(json())
    .addOption(allOf());

  const journal = program
    .command('journal')
    .description('the journal on disk; works on a stopped relay’s, and beside a running one');
  command(
    'check',
    'go through all of it, tell what is broken and what a repair would do; exit code 1 when something is',
    async () => (await import('./journal.ts')).journalCheckCommand,
    journal,
  )
    .addOption(config())
    .addOption(json())
    .option('--repair', 'do it: needs a stopped relay, and as much room again; the broken files are kept');
  command(
    'export',
    'write every record that is whole, as JSON, one a line',
    async () => (await import('./journal.ts')).journalExportCommand,
    journal,
  )
    .addOption(config())
    .option('--output <file>', 'a new file, in place of standard output');

  command(
    'simulate',
    'a Microsoft Graph of your own, with alerts and faults',
    async () => (await import('./simulate.ts')).simulateCommand,
  )
    .option('--dir <dir>', 'write ca.pem and a ready relay.yaml there; a CA that is there already is kept')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all', '127.0.0.1')
    .addOption(new Option('--name <name>', 'DNS name by which other machines reach it').argParser(dnsName))
    .addOption(
      new Option('--port <n>', 'port to listen on').argParser(portNumber).default(0, 'any that is free'),
    )
    .option('--alerts <n>', 'stop raising after so many alerts', wholeNumber)
    .option('--rate <n>', 'alerts raised per second', positiveNumber, 1)
    .option('--input <file>', 'alerts to serve in place of made-up ones; as for preview')
    .option('--faults <list>', 'faults, as NAME[=PROBABILITY],... or "all"; see below')
    .option('--refuse <what>', 'refuse all requests in one way that does not pass; see below')
    .option(
      '--roles <list>',
      'application permissions of the app, by commas, or "none"',
      'SecurityAlert.Read.All',
    )
    .addOption(
      new Option('--quota <state>', 'Graph’s limit of 150 requests a minute')
        .choices(['on', 'off'])
        .default('on'),
    )
    .option('--seed <n>', 'the same seed makes the same alerts', wholeNumber, 1)
    .addHelpText('after', faultsHelp);

  command(
    'demo',
    'simulator, relay and a small receiver in one process; needs no account',
    async () => (await import('./demo.ts')).demoCommand,
  )
    .addOption(
      new Option('--for <duration>', 'how long alerts are raised')
        .argParser(durationMs)
        .default(30_000, '30s'),
    )
    .option('--alerts <n>', 'stop after so many alerts', countingNumber);

  return program;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

function countingNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('expected at least 1.');
  return value;
}

function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535)
    throw new InvalidArgumentError('expected a port, 1 to 65535, or 0 for any that is free.');
  return value;
}

function dnsName(text: string): string {
  if (/^[a-z\d]([a-z\d.-]{0,251}[a-z\d])?$/i.test(text)) return text;
  throw new InvalidArgumentError('expected a name such as "simulator" or "graph.example".');
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100_000)) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

function durationMs(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value < 1_000) {
    throw new InvalidArgumentError('expected a duration of at least a second, such as "30s" or "2m".');
  }
  return value;
}
