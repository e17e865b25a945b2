import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Loaded } from '../config/load.ts';
import { ConfigError, problemLine } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import { RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Secret } from '../lib/secret.ts';
import { isAbort } from '../lib/wait.ts';
import type { RunningRelay } from '../relay.ts';

/** The config as it is now; the list of secrets is one and the same for as long as the process lives. */
export interface Present {
  config: Config;
  readonly secrets: Secret[];
}

export interface ReloadOptions {
  readonly present: Present;
  readonly load: () => Loaded;
  readonly log: Log;
}

/** Reloads the config when it is asked to, one time after another; the old one stays when the new one is bad. */
export class Reloader {
  readonly #options: ReloadOptions;
  #relay: RunningRelay | undefined;
  #isWanted = false;
  #work: Promise<void> | undefined;

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** From now on it does what it is asked to, and what it was asked to before. */
  serve(relay: RunningRelay): void {
    this.#relay = relay;
    if (this.#isWanted) this.ask();
  }

  /** While it is at work, it does it once more afterwards, however often it was asked to. */
  ask(): void {
    this.#isWanted = true;
    if (this.#relay) this.#work ??= this.#reloadAll(this.#relay).finally(() => (this.#work = undefined));
  }

  async #reloadAll(relay: RunningRelay): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#reload(relay);
    }
  }

  async #reload(relay: RunningRelay): Promise<void> {
    const { present, load, log } = this.#options;
    try {
      const { config, warnings } = load();
      // Before anything is said by the new ones; the old ones may still be told by others.
      present.secrets.splice(0, present.secrets.length, ...secretsOf(config), ...secretsOf(present.config));
      for (const warning of warnings) log.warn({}, problemLine(warning));
      const { started, ended, kept } = await relay.change(config);
      present.config = config;
      log.info({ started, ended, kept }, 'the config has been loaded again');
    } catch (error) {
      // The relay ends.
      if (isAbort(error)) return;
      const reasons = reasonsOf(error);
      for (const reason of reasons) log.error({}, reason);
      log.error(reasons.length > 0 ? {} : { err: error }, 'the new config is not used; the old one goes on');
      relay.refuse(reasons.join('; ') || 'failed unexpectedly; the log has the details');
    }
  }
}

/** For people; none: nobody foresaw it. */
function reasonsOf(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems.map(problemLine);
  return error instanceof RelayError ? [error.message] : [];
}

/** By content, as Kubernetes swaps a link above the file, and often enough for somebody who waits for it. */
const LOOK_MS = 2_000;

/**
 * Calls `changed` when the file says something else than before, and has done so for two looks: it may be half written.
 * A file that cannot be read is as it was.
 */
export function watchFile(file: string, changed: () => void): { close(): void } {
  let known = hashOf(file);
  let last = known;
  const timer = setInterval(() => {
    const now = hashOf(file);
    if (now !== undefined && now === last && now !== known) {
      known = now;
      changed();
    }
    last = now;
  }, LOOK_MS).unref();
  return { close: () => clearInterval(timer) };
}

function hashOf(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return undefined;
  }
}
