import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { bracketed } from '../../lib/host.ts';
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
  return { host, port, name: `${bracketed(host)}:${port}` };
}

/** How long a host that failed is left alone, before it is looked at again. Twice as long each time, up to an hour. */
const REST_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;

/** Of a host that failed, and has confirmed nothing since. */
interface Failure {
  readonly atMs: number;
  /** Connections that it broke with something on them. */
  readonly broken: number;
  /** It has taken a connection since. So does the kernel of one that hangs. */
  readonly isBack: boolean;
}

/**
 * The receivers in the order in which they are wanted. The first that works is used; one that failed is passed
 * over until a connection that carries nothing has shown that it is back, so that looking costs nobody time. Only
 * what it then confirms shows that it works: one that takes connections and breaks them is left alone for longer
 * each time.
 */
export class Hosts<Open extends Pick<Connection, 'destroy'> = Connection> {
  readonly #hosts: readonly Host[];
  readonly #connect: Connect<Open>;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #failures = new Map<Host, Failure>();
  readonly #looking = new Set<Host>();
  #last: Host | undefined;

  /** @param clock milliseconds, only ever going forward */
  constructor(hosts: readonly Host[], connect: Connect<Open>, log: Log, clock: () => number) {
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
  async dial(signal: AbortSignal): Promise<Open> {
    const failures: UnavailableError[] = [];
    for (const host of this.#inOrder()) {
      try {
        const connection = await this.#connect(host, signal);
        this.#isBack(host);
        this.#tell(host);
        return connection;
      } catch (error) {
        if (isAbort(error) || !(error instanceof UnavailableError)) throw error;
        this.#fails(host, 0);
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
    this.#fails(host, 1);
  }

  /** It confirmed something. */
  works(host: Host): void {
    this.#failures.delete(host);
  }

  /** Whether none that is wanted more is there. Looks for those now and then, aside. */
  isBest(host: Host, signal: AbortSignal): boolean {
    for (const better of this.#hosts.slice(0, this.#hosts.indexOf(host))) {
      if (!this.#isDown(better)) return false;
      this.#look(better, signal);
    }
    return true;
  }

  #inOrder(): Host[] {
    return this.#hosts.toSorted((a, b) => Number(this.#isDown(a)) - Number(this.#isDown(b)));
  }

  #isDown(host: Host): boolean {
    return this.#failures.get(host)?.isBack === false;
  }

  #isBack(host: Host): void {
    const failure = this.#failures.get(host);
    if (failure) this.#failures.set(host, { ...failure, isBack: true });
  }

  #fails(host: Host, broken: number): void {
    const before = this.#failures.get(host)?.broken ?? 0;
    this.#failures.set(host, { atMs: this.#clock(), broken: before + broken, isBack: false });
  }

  #look(host: Host, signal: AbortSignal): void {
    const failure = this.#failures.get(host);
    if (!failure || this.#looking.has(host) || this.#clock() - failure.atMs < restMs(failure)) return;
    this.#looking.add(host);
    this.#connect(host, signal)
      .then(
        (connection) => {
          connection.destroy();
          this.#isBack(host);
        },
        () => this.#fails(host, 0),
      )
      .finally(() => this.#looking.delete(host));
  }

  #tell(host: Host): void {
    if (this.#hosts.length > 1 && this.#last !== undefined && this.#last !== host)
      this.#log.warn({ from: this.#last.name, to: host.name }, `goes on with ${host.name}`);
    this.#last = host;
  }
}

function restMs({ broken }: Failure): number {
  return Math.min(LONGEST_REST_MS, REST_MS * 2 ** Math.max(0, broken - 1));
}
