import { execFile } from 'node:child_process';
import type { Log } from '../core/log.ts';

/** What the relay tells the service manager that has started it. Without one each of these does nothing. */
export interface ServiceManager {
  /**
   * Everything is open. From now on the watchdog, where there is one, is fed as long as `alive` resolves.
   *
   * @param alive resolves when event loop and journal answer (F2)
   */
  ready(alive: () => Promise<void>): void;
  /** The relay has been asked to end. */
  stopping(): void;
  /** Feeds the watchdog no more. */
  close(): void;
}

/** Longest time that `systemd-notify` may take. */
const NOTIFY_MS = 5_000;

/**
 * Speaks to systemd where it has asked for it (`Type=notify`, `WatchdogSec`). Node has no Unix datagram sockets, so
 * the words go out by `systemd-notify` as a child; the unit needs `NotifyAccess=all`.
 *
 * @param env `NOTIFY_SOCKET`, `WATCHDOG_USEC` (microseconds) and `WATCHDOG_PID`, as systemd sets them
 * @param pid of this process; a watchdog that is for another one is left alone
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
export function openServiceManager(env: NodeJS.ProcessEnv, pid: number, log: Log): ServiceManager {
  const { NOTIFY_SOCKET, PATH } = env;
  if (!NOTIFY_SOCKET) return { ready() {}, stopping() {}, close() {} };
  let watchdog: NodeJS.Timeout | undefined;
  let told = false;

  const tell = (...words: string[]) => {
    // Nothing else of the environment: there may be secrets in it.
    const options = { env: { NOTIFY_SOCKET, PATH }, timeout: NOTIFY_MS };
    execFile('systemd-notify', words, options, (error) => {
      if (!error || told) return;
      told = true;
      log.warn({ reason: error.message.trim() }, 'cannot tell systemd how the relay is');
    });
  };

  return {
    ready(alive) {
      tell('READY=1');
      const everyMs = watchdogMs(env, pid) / 3;
      if (everyMs === 0) return;
      // Nothing is said when the journal does not answer: then systemd starts the relay again.
      const feed = () => void alive().then(() => tell('WATCHDOG=1'), ignore);
      watchdog = setInterval(feed, everyMs).unref();
    },
    stopping() {
      tell('STOPPING=1');
    },
    close() {
      clearInterval(watchdog);
    },
  };
}

/** Longest time between two signs of life that systemd bears, in milliseconds; 0 when it does not watch us. */
function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = env;
  if (microseconds === undefined || (watched !== undefined && Number(watched) !== pid)) return 0;
  return Number(microseconds) / 1_000;
}

function ignore(): void {}
