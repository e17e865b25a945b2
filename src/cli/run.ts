import { loadConfig } from '../config/load.ts';
import { problemLine } from '../config/problem.ts';
import { secretsOf } from '../config/secrets.ts';
import { stopOnSignals } from '../lib/stop.ts';
import { openLogger } from '../observe/logger.ts';
import { openServiceManager } from '../observe/notify.ts';
import { runRelay } from '../relay.ts';
import { endSoon, type Io } from './io.ts';
import { exitCodeOf, messageOf } from './trouble.ts';
import { version } from './version.ts';

/** Who sends it as to any service, as logrotate does, must not end the relay: that is its meaning without a listener. */
const HANGUP =
  'SIGHUP: nothing to do. A file that was moved away is opened anew without it; a changed config needs a restart';

/** Runs the relay until SIGTERM or SIGINT. */
export async function runCommand(flags: { config?: string }, io: Io): Promise<number> {
  const { config, path, warnings } = loadConfig(flags.config, { mayExpire: true });
  const log = openLogger(config.log.level, io.stderr, secretsOf(config));
  const stop = stopOnSignals(process, { graceMs: () => config.stop.grace, force: io.exit });
  const onHangup = () => log.info({}, HANGUP);
  process.on('SIGHUP', onHangup);
  const manager = openServiceManager(process.env, process.pid, log);
  stop.soft.addEventListener('abort', () => {
    log.info({ graceMs: config.stop.grace }, 'stopping');
    manager.stopping();
  });
  try {
    log.info({ version, config: path, node: process.version, pid: process.pid }, 'starting');
    for (const warning of warnings) log.warn({}, problemLine(warning));
    const watch = { ready: manager.ready };
    await runRelay(config, { version, log, now: Date.now, random: Math.random, watch }, stop);
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    const message = messageOf(error);
    log.fatal(message === undefined ? { err: error } : {}, message ?? 'cannot go on');
    return exitCodeOf(error);
  } finally {
    stop.dispose();
    process.off('SIGHUP', onHangup);
    manager.close();
    // What the stdout sink has written and nobody reads is still in the journal.
    endSoon(io);
  }
}
