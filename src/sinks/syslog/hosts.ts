import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { isAbort } from '../../lib/wait.ts';
import type { Connect, Connection } from './connection.ts';

/** A receiver. */
export interface Host {
  readonly host: string;
  readonly port: number;
  /** For messages: `siem.contoso.local:514`, `[::1]:514`. */
  readonly name: string;
}

export function hostOf(host: string, port: number): Host {
  return { host, port, name: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}

/** How long a host that failed is left alone, before it is looked at again. */
const REST_MS = 60_000;

/**
 * The receivers in the order in which they are wanted. The first that works is used; one that failed is passed
 * over until a connection that carries nothing has shown that it is back, so that looking costs nobody time.
 */
export class Hosts {
  readonly #hosts: readonly Host[];
  readonly #connect: Connect;
  readonly #log: Log;
  readonly #clock: () => number;
  /** When those that failed did so. */
  readonly #failedMs = new Map<Host, number>();
  readonly #looking = new Set<Host>();
  #last: Host | undefined;

  /** @param clock milliseconds, only ever going forward */
  constructor(hosts: readonly Host[], connect: Connect, log: Log, clock: () => number) {
    this.#hosts = hosts;
    this.#connect = connect;
    this.#log = log;
    this.#clock = clock;
  }

  get names(): string {
    return this.#hosts.map(({ name }) => name).join(', ');
  }

  /**
   * A connection to the first that takes one.
   *
   * @throws {UnavailableError} none does
   */
  async dial(signal: AbortSignal): Promise<Connection> {
    const failures: UnavailableError[] = [];
    for (const host of this.#inOrder()) {
      try {
        const connection = await this.#connect(host, signal);
        this.#failedMs.delete(host);
        this.#tell(host);
        return connection;
      } catch (error) {
        if (isAbort(error) || !(error instanceof UnavailableError)) throw error;
        this.failed(host);
        failures.push(error);
      }
    }
    const [first, ...others] = failures;
    if (first && others.length === 0) throw first;
    const messages = failures.map(({ message }) => message).join('. And ');
    throw new UnavailableError(messages, { reason: first?.reason ?? 'network', cause: first });
  }

  /** It broke a connection with something on it. */
  failed(host: Host): void {
    this.#failedMs.set(host, this.#clock());
  }

  /** Whether none that is wanted more is there. Looks for those now and then, aside. */
  isBest(host: Host, signal: AbortSignal): boolean {
    for (const better of this.#hosts.slice(0, this.#hosts.indexOf(host))) {
      if (!this.#failedMs.has(better)) return false;
      this.#look(better, signal);
    }
    return true;
  }

  #inOrder(): Host[] {
    const isDown = (host: Host) => Number(this.#failedMs.has(host));
    return this.#hosts.toSorted((a, b) => isDown(a) - isDown(b));
  }

  #look(host: Host, signal: AbortSignal): void {
    if (this.#looking.has(host) || this.#clock() - (this.#failedMs.get(host) ?? 0) < REST_MS) return;
    this.#looking.add(host);
    this.#connect(host, signal)
      .then(
        (connection) => {
          connection.destroy();
          this.#failedMs.delete(host);
        },
        () => this.failed(host),
      )
      .finally(() => this.#looking.delete(host));
  }

  #tell(host: Host): void {
    if (this.#hosts.length > 1 && this.#last !== undefined && this.#last !== host)
      this.#log.warn({ from: this.#last.name, to: host.name }, `goes on with ${host.name}`);
    this.#last = host;
  }
}
