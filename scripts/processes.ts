import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The built program. */
export const program = join(import.meta.dirname, '../dist/main.js');
export const isBuilt = (): boolean => existsSync(program);

/** What is still going on: it must not outlive this process. */
const open = new Set<Processes>();
process.once('exit', () => {
  for (const processes of open) processes.end();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Processes and a folder of their own, which do not outlive `work`. */
export async function among<T>(work: (scene: Processes) => Promise<T>): Promise<T> {
  const processes = new Processes(mkdtempSync(join(tmpdir(), 'relay-')));
  try {
    return await work(processes);
  } finally {
    processes.end();
  }
}

export class Processes {
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(folder: string) {
    this.folder = folder;
    open.add(this);
  }

  /** @param command left out: Node, as it runs here */
  start(args: readonly string[], command = process.execPath): ChildProcess {
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    const child = spawn(command, args, { stdio });
    this.#children.push(child);
    return child;
  }

  /** A Graph whose files are in the folder. */
  async simulator(args: readonly string[]): Promise<void> {
    const child = this.start([program, 'simulate', '--dir', this.folder, '--quota', 'off', ...args]);
    await lineOf(child, 'stdout', /a relay that reads from it/);
  }

  /**
   * The simulator's own config with other sinks.
   *
   * @param sinks their names and ports
   * @param settings more of each of them, lines of YAML
   * @param change what else is other
   * @param listen port of its metrics; 0: any
   * @param others further sinks, as YAML
   */
  configure(
    sinks: Record<string, number>,
    settings: string,
    change: (config: string) => string,
    listen = 0,
    others = '',
  ): string {
    const [before = ''] = readFileSync(join(this.folder, 'relay.yaml'), 'utf8').split('\nsinks:');
    const file = join(this.folder, 'changed.yaml');
    const sink = ([name, port]: [string, number]) => `
  - name: ${name}
    type: syslog
    host: 127.0.0.1
    port: ${port}
    startFrom: journal
    selfEvents: false
${settings}`;
    const all = Object.entries(sinks).map(sink).join('');
    writeFileSync(
      file,
      `${change(before)}\nsinks:${all}${others}\nserver: { listen: 127.0.0.1:${listen} }\n`,
    );
    return file;
  }

  /** The relay, and where its metrics are. */
  async relay(config: string): Promise<{ readonly child: ChildProcess; readonly metrics: string }> {
    const child = this.start([program, 'run', '--config', config]);
    child.stdout!.resume();
    return { child, metrics: await lineOf(child, 'stderr', /(http:\S+\/metrics)/) };
  }

  end(): void {
    open.delete(this);
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The first line that says it; ends with an error when the process ends before that. */
export async function lineOf(
  child: ChildProcess,
  stream: 'stdout' | 'stderr',
  pattern: RegExp,
): Promise<string> {
  let said = '';
  for await (const line of createInterface({ input: child[stream]! })) {
    said += `${line}\n`;
    const found = pattern.exec(line);
    if (!found) continue;
    // What it says later is read by nobody, and must not fill the pipe.
    child[stream]!.resume();
    return found[1] ?? line;
  }
  throw new Error(`a process ended before it was ready:\n${said}`);
}

/** Asks it to end, and looks whether it ends well. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  if (child.exitCode !== 0) throw new Error(`the relay ended with exit code ${child.exitCode}`);
}
