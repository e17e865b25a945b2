import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAM = '/usr/sbin/rsyslogd';

/** An event as rsyslog took it apart. */
export interface RsyslogMessage {
  readonly pri: string;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly procid: string;
  readonly msgid: string;
  /** Structured data, as it came. */
  readonly sd: string;
  readonly msg: string;
  /** With `cef: true`: what liblognorm made of `msg`; `undefined` when it could not parse it. */
  readonly cef?: ParsedCef | undefined;
}

/** CEF by a parser that is not ours, escapes undone. Its bug: the first key of the extension loses its first letter. */
export interface ParsedCef {
  readonly DeviceVendor: string;
  readonly DeviceProduct: string;
  readonly DeviceVersion: string;
  readonly SignatureID: string;
  readonly Name: string;
  readonly Severity: string;
  readonly Extensions: Readonly<Record<string, string>>;
}

export interface RsyslogOptions {
  /** Parse each message with liblognorm's `cef`. */
  readonly cef?: boolean;
  /** Larger messages are split; rsyslog's own default is 8 KiB. */
  readonly maxMessageSize?: string;
}

export interface Rsyslog {
  /** On 127.0.0.1; stays the same over `restart`. */
  readonly port: number;
  /** What it has written to its file so far, in order. */
  messages(): readonly RsyslogMessage[];
  /** Waits until there are `count` messages, or until `count` says so, and gives them. */
  arrived(
    count: number | ((messages: readonly RsyslogMessage[]) => boolean),
  ): Promise<readonly RsyslogMessage[]>;
  /** SIGSTOP: connections are still accepted, and nobody reads. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; unread data is answered by a reset. */
  kill(): Promise<void>;
  /** Ends it in good order if it runs, and starts it again on the same port and file. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** A real rsyslogd in a folder of its own, ready to take connections. See `missing.ts` for when it is not there. */
export async function startRsyslog(options: RsyslogOptions = {}): Promise<Rsyslog> {
  const folder = mkdtempSync(join(tmpdir(), 'rsyslog-'));
  const output = join(folder, 'messages.jsonl');
  let child: ChildProcess | undefined;
  let port = 0;

  const start = async () => {
    writeFileSync(join(folder, 'cef.rb'), 'version=2\nrule=:%f:cef%\n');
    writeFileSync(join(folder, 'rsyslog.conf'), config(folder, port, options));
    const started = spawn(PROGRAM, ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let said = '';
    started.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    // It writes the file for a port of its own choice only: at the first start.
    const isReady = () => {
      if (port === 0) port = portOf(folder);
      return accepts(port);
    };
    while (!(await isReady())) {
      if (hasEnded(started)) throw new Error(`rsyslogd did not start: ${said}`);
      await sleep(10);
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!child || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    // A frozen one would not heed SIGTERM; and must not read on before SIGKILL.
    child.kill('SIGCONT');
    // It must not outlive the test, whatever it does.
    const timer = setTimeout(() => child?.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  };
  const messages = () =>
    existsSync(output) ? readFileSync(output, 'utf8').split('\n').slice(0, -1).map(parse) : [];
  const stop = async () => {
    await end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    messages,
    async arrived(count) {
      const enough = typeof count === 'number' ? ({ length }: readonly unknown[]) => length >= count : count;
      for (;;) {
        const present = messages();
        if (enough(present)) return present;
        await sleep(20);
      }
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    stop,
  };
}

/**
 * JSON lines are the oracle: in a plain file an embedded line feed could not be told from a new message. Without
 * `escapeControlCharacters…` it would write `#012` for them.
 */
function config(
  folder: string,
  port: number,
  { cef = false, maxMessageSize = '8k' }: RsyslogOptions,
): string {
  const fields = {
    pri: 'name="pri"',
    time: 'name="timereported" dateFormat="rfc3339"',
    host: 'name="hostname"',
    app: 'name="app-name"',
    procid: 'name="procid"',
    msgid: 'name="msgid"',
    sd: 'name="structured-data"',
    msg: 'name="msg"',
  };
  const properties = Object.entries(fields).map(
    ([outname, what]) => `property(outname="${outname}" ${what} format="jsonf")`,
  );
  const tree = cef ? ' constant(value=",\\"tree\\":") property(name="$!")' : '';
  return `
global(workDirectory="${folder}" maxMessageSize="${maxMessageSize}" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp")
${cef ? 'module(load="mmnormalize")' : ''}
template(name="line" type="list") {
  constant(value="{") ${properties.join(' constant(value=",") ')}${tree} constant(value="}\\n")
}
ruleset(name="all") {
  ${cef ? `action(type="mmnormalize" rulebase="${folder}/cef.rb" path="$!cef")` : ''}
  action(type="omfile" file="${folder}/messages.jsonl" template="line")
}
input(type="imtcp" address="127.0.0.1" port="${port}" listenPortFileName="${folder}/port" ruleset="all")
`;
}

function parse(line: string): RsyslogMessage {
  const { tree, ...fields } = JSON.parse(line) as RsyslogMessage & { tree?: { cef?: { f?: ParsedCef } } };
  return tree ? { ...fields, cef: tree.cef?.f } : fields;
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

function portOf(folder: string): number {
  const file = join(folder, 'port');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

async function accepts(port: number): Promise<boolean> {
  if (port === 0) return false;
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
