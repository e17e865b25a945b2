#!/usr/bin/env node
// The process: arguments in, exit code out. This file is read by old versions of Node too, so that they can say
// what they need: nothing newer than dynamic import may stand in it.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const WANTED = 24;

/** Environment variable with the id of the process that started this one again. */
const STARTED_BY = 'DEFENDER_RELAY_STARTED_BY';

/**
 * How Node is told to be sparing with memory, which it reads before it starts only: left to itself it lets garbage lie
 * until there are some hundred megabytes of it. What each does: docs/deployment.md.
 */
const SPARING = {
  flags: ['--max-semi-space-size=2', '--heap-growing-percent=20'],
  env: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '8388608' },
};

/** Of what runs for long; whoever says by hand how large the young heap may be is left alone. */
function wantsSparing(): boolean {
  const flags = process.execArgv.concat(process.env.NODE_OPTIONS || '').join(' ');
  return process.argv[2] === 'run' && !/--max[-_]semi[-_]space[-_]size/.test(flags);
}

/** Begins anew as a Node that is sparing: as the same process, with the same standard streams. */
function becomeSparing(): void {
  const args = SPARING.flags.concat(process.execArgv, process.argv.slice(1));
  try {
    process.execve!(
      process.execPath,
      [process.execPath].concat(args),
      Object.assign({}, SPARING.env, process.env),
    );
  } catch (_) {
    // Not allowed, or not on this system: then it takes more memory.
  }
}

/** Path of the Node that came as an npm package with us (decision 1), or undefined. */
function packagedNode(): string | undefined {
  try {
    const name = `node-${process.platform}-${process.arch}`;
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    return undefined;
  }
}

/** Starts this program again with another Node and ends as it ends. */
function startAgain(node: string): void {
  const { flags, env }: Partial<typeof SPARING> = wantsSparing() ? SPARING : {};
  const child = spawn(node, (flags || []).concat(fileURLToPath(import.meta.url), process.argv.slice(2)), {
    // By the end of the channel the child knows that this process is gone.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: Object.assign({}, env, process.env, { [STARTED_BY]: String(process.pid) }),
  });
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    // Not as a signal: a terminal or a service manager may have told the child, too, and it is to take the two for one,
    // however late this one comes (lib/stop.ts).
    process.on(name, () => child.connected && child.send(name));
  }
  child.on('error', (error) => {
    process.stderr.write(`defender-relay: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    // Ended by a signal: what a shell would say.
    process.exitCode = signal === null ? (code as number) : 128 + constants.signals[signal];
  });
}

/**
 * Takes the signals that the process which started this one again passes on, and ends when that has been killed: nobody
 * knows this one by its own id.
 */
function followStarter(): void {
  if (process.env[STARTED_BY] !== String(process.ppid) || !process.channel) return;
  process.on('message', (name: NodeJS.Signals) => {
    // The number of no signal, in the place of its own: passed on. Who does not listen is ended by it, as by a signal.
    if (!(process as NodeJS.EventEmitter).emit(name, name, 0)) process.kill(process.pid, name);
  });
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // To listen alone must not keep the process.
  process.channel.unref();
}

/** Nothing that was forgotten may hold the process, and nothing that was written may be lost. */
function endWhenWritten(): void {
  // A stream tells of its error when the write has ended; whoever hears it writes to standard error.
  process.stdout.write('', () => setImmediate(() => process.stderr.write('', () => process.exit())));
}

if (Number(process.versions.node.split('.')[0]) >= WANTED) {
  // Who was started with a channel would lose it.
  if (wantsSparing() && !process.channel) becomeSparing();
  followStarter();
  import('./cli/index.ts')
    .then(({ main }) => main(process.argv.slice(2), (code) => process.exit(code)))
    .then((code) => {
      // That standard output could not be written may have set another one.
      if (code !== 0) process.exitCode = code;
      endWhenWritten();
    });
} else {
  const node = packagedNode();
  if (node) {
    startAgain(node);
  } else {
    process.stderr.write(
      `defender-relay needs Node ${WANTED} or later, and this is ${process.version}: install it from https://nodejs.org, or run "npm ci" without --omit=optional.\n`,
    );
    process.exitCode = 1;
  }
}
