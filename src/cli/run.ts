import { loadConfig } from '../config/load.ts';
import { problemLine } from '../config/problem.ts';
import { secretsOf } from '../config/secrets.ts';
import { stopOnSignals } from '../lib/stop.ts';
import { version } from '../lib/version.ts';
import { openLogger } from '../observe/logger.ts';
import { openServiceManager } from '../observe/notify.ts';
import { runRelay } from '../relay.ts';
import { endSoon, type Io } from './io.ts';
import { type Present, Reloader, watchFile } from './reload.ts';
import { exitCodeOf, messageOf } from './trouble.ts';

/** Runs the relay until SIGTERM or SIGINT; loads the config again at SIGHUP and, with `watch`, when its file changes. */
export async function runCommand(flags: { config?: string; watch?: boolean }, io: Io): Promise<number> {
  const load = (file?: string) => loadConfig(file, { mayExpire: true });
  const { config, path, warnings } = load(flags.config);
  const present: Present = { config, secrets: secretsOf(config) };
  const log = openLogger(() => present.config.log.level, io.stderr, present.secrets);
  const stop = stopOnSignals(process, { graceMs: () => present.config.stop.grace, force: io.exit });
  const manager = openServiceManager(process.env, process.pid, log);
  const reloader = new Reloader({ present, load: () => load(path), log });
  let reopen = () => {};
  const onHangup = () => {
    reopen();
    reloader.ask();
  };
  process.on('SIGHUP', onHangup);
  const watching = flags.watch ? watchFile(path, () => reloader.ask()) : undefined;
  stop.soft.addEventListener('abort', () => {
    log.info({ graceMs: present.config.stop.grace }, 'stopping');
    manager.stopping();
  });
  try {
    log.info({ version, config: path, node: process.version, pid: process.pid }, 'starting');
    for (const warning of warnings) log.warn({}, problemLine(warning));
    const { secrets } = present;
    const context = { version, log, secrets, now: Date.now, random: Math.random };
    await runRelay(
      config,
      {
        ...context,
        watch: {
          ready(relay) {
            manager.ready(relay.alive);
            reopen = relay.reopen;
            reloader.serve(relay);
          },
        },
      },
      stop,
    );
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    const message = messageOf(error);
    log.fatal(message === undefined ? { err: error } : {}, message ?? 'cannot go on');
    return exitCodeOf(error);
  } finally {
    stop.dispose();
    watching?.close();
    process.off('SIGHUP', onHangup);
    manager.close();
    // What the stdout sink has written and nobody reads is still in the journal.
    endSoon(io);
  }
}
