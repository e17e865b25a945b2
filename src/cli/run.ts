import { loadConfig } from '../config/load.ts';
import { problemLine } from '../config/problem.ts';
import { secretsOf } from '../config/secrets.ts';
import { stopOnSignals } from '../lib/stop.ts';
import { openLogger } from '../observe/logger.ts';
import { runRelay } from '../relay.ts';
import type { Io } from './io.ts';
import { version } from './version.ts';

/** Runs the relay until SIGTERM or SIGINT. */
export async function runCommand(flags: { config?: string }, io: Io): Promise<number> {
  const { config, path, warnings } = loadConfig(flags.config);
  const log = openLogger(config.log.level, io.stderr, secretsOf(config));
  const stop = stopOnSignals(process, { graceMs: () => config.stop.grace, force: io.exit });
  stop.soft.addEventListener('abort', () => log.info({ graceMs: config.stop.grace }, 'stopping'));
  try {
    log.info({ version, config: path, node: process.version, pid: process.pid }, 'starting');
    for (const warning of warnings) log.warn({}, problemLine(warning));
    await runRelay(config, { version, log, now: Date.now, random: Math.random }, stop);
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    log.fatal({ err: error }, 'cannot go on');
    return 1;
  } finally {
    stop.dispose();
  }
}
