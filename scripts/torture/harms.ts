import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultName, faultNames } from '../../src/simulator/index.ts';
import { whyMissing } from '../../test/peers/missing.ts';
import { testCertificates } from '../../test/support/certificates.ts';
import { editedProgram } from '../../test/support/edited-program.ts';
import { RelayProcess } from '../../test/support/relay-process.ts';
import { letDieAtSync, threadOf } from '../../test/support/strace.ts';
import type { Scene } from './scene.ts';

/** Something bad that happens to a scene, and is over when it resolves. */
export interface Harm {
  readonly name: string;
  /** Why it cannot be done here. */
  whyNot?(scene: Scene): string | undefined;
  /** Its disk takes nothing meanwhile. */
  readonly isDiskFault?: true;
  do(scene: Scene): Promise<void>;
}

const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
].find(existsSync);

/** Those that change what there is to be told, and those that need more time than a harm has. */
const NOT_BY_TURNS: ReadonlySet<FaultName> = new Set([
  'update',
  'late',
  'very-late',
  'ties',
  'future',
  'unrevised',
]);
const byTurns = faultNames.filter((name) => !NOT_BY_TURNS.has(name));

const strace = () => whyMissing('strace');
const for_ = (scene: Scene, leastMs: number, mostMs: number) => sleep(scene.random.int(leastMs, mostMs));

/**
 * The program, knowing so many versions of the schema more. What their migrations make is of no use; it takes
 * a while, so that it can be killed in the middle, and cannot be made twice.
 */
function laterProgram({ folder }: Scene, versions: number): Promise<string> {
  const numbers = Array.from({ length: versions }, (_, index) => index + 1);
  const steps = numbers.map(
    (n) => `\`CREATE TABLE later_${n} AS WITH RECURSIVE count (n) AS
      (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 600000) SELECT n FROM count; DELETE FROM later_${n}\`,\n`,
  );
  const put = `\n${steps.join('')}];`;
  return editedProgram(join(folder, `program-${versions}`), [
    { file: 'journal/migrations.ts', find: '\n];', put },
  ]);
}

/** Something goes wrong at each of the other sinks. */
function beginTrouble({ random, sides }: Scene): void {
  for (const { troubles } of sides) {
    const names = Object.keys(troubles);
    if (names.length > 0) troubles[random.pick(names)]!(random);
  }
}

/** Starts it, and waits until the migration writes to the journal's log; or until it is over, or was never begun. */
async function startMigrating(scene: Scene): Promise<void> {
  const { relay, state } = scene;
  const log = join(state, 'journal.db-wal');
  const size = () => statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const [bytes, { length }] = [size(), relay.log];
  scene.start();
  const isOver = () => !relay.running || relay.log.includes('"msg":"journal opened', length);
  while (size() === bytes && !isOver()) await sleep(1);
}

async function restarted(scene: Scene): Promise<void> {
  await scene.ended();
  scene.start();
}

/** Injects a fault into the syncs of the journal's thread, for a while. */
const atSyncs = (scene: Scene, injection: string, ms: number) => at(scene, 'fsync,fdatasync', injection, ms);

/** The same, into any system calls. */
async function at(scene: Scene, calls: string, injection: string, ms: number): Promise<void> {
  const thread = await threadOf(scene.relay.pid!, 'journal');
  if (thread === undefined) return;
  const tracer = spawn(
    'strace',
    ['-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:${injection}`, '-p', thread],
    { stdio: 'ignore' },
  );
  const ended = once(tracer, 'exit');
  await sleep(ms);
  tracer.kill('SIGINT');
  await ended;
}

export const harms: readonly Harm[] = [
  {
    name: 'relay: SIGKILL',
    async do(scene) {
      await for_(scene, 0, 1_500);
      await scene.end('SIGKILL');
      scene.start();
    },
  },
  {
    name: 'relay: SIGKILL, twice while it starts',
    async do(scene) {
      for (let count = 0; count < 2; count++) {
        await scene.end('SIGKILL');
        scene.start();
        await for_(scene, 0, 800);
      }
      await scene.end('SIGKILL');
      scene.start();
    },
  },
  {
    name: 'relay: SIGKILL between send and cursor',
    async do(scene) {
      const { length } = scene.receiver.events();
      await scene.receiver.until((events) => events.length > length);
      await scene.end('SIGKILL');
      scene.start();
    },
  },
  {
    name: 'relay: SIGKILL between commit and next request',
    async do(scene) {
      const { answers } = scene.simulator.account;
      const { length } = answers;
      while (answers.length === length) await sleep(1);
      await for_(scene, 0, 40);
      await scene.end('SIGKILL');
      scene.start();
    },
  },
  {
    name: 'relay: dies at a sync',
    whyNot: strace,
    async do(scene) {
      await letDieAtSync(scene.relay.pid!, 'journal', scene.random.int(1, 4));
      await restarted(scene);
    },
  },
  {
    name: 'relay: a later version, killed while it migrates',
    async do(scene) {
      await scene.end('SIGTERM');
      scene.upgrades += 1;
      scene.relay.program = await laterProgram(scene, scene.upgrades);
      for (let count = 0; count < 2; count++) {
        await startMigrating(scene);
        await for_(scene, 0, 300);
        await scene.end('SIGKILL');
      }
      scene.start();
    },
  },
  {
    name: 'relay: another one beside it',
    async do(scene) {
      const other = new RelayProcess(join(scene.folder, 'relay.yaml'));
      other.program = scene.relay.program;
      other.start();
      if ((await other.ended()) === 0) throw new Error('a second relay ran on the same state directory');
    },
  },
  {
    name: 'relay: SIGTERM during a send',
    async do(scene) {
      const { length } = scene.receiver.events();
      await scene.receiver.until((events) => events.length > length);
      await scene.end('SIGTERM');
      scene.start();
    },
  },
  {
    name: 'relay: another config, and another one at once',
    async do(scene) {
      for (let count = 0; count < 2; count++) {
        scene.reconfigure();
        process.kill(scene.relay.pid!, 'SIGHUP');
        await for_(scene, 0, 600);
      }
    },
  },
  {
    name: 'relay: stopped for a while',
    async do(scene) {
      process.kill(scene.relay.pid!, 'SIGSTOP');
      await for_(scene, 1_000, 8_000);
      process.kill(scene.relay.pid!, 'SIGCONT');
    },
  },
  {
    name: 'relay: clock an hour on, then an hour back',
    whyNot: () => (FAKETIME ? undefined : 'libfaketime is not installed: apt-get install faketime'),
    async do(scene) {
      const file = join(scene.folder, 'clock');
      const step = (seconds: string) => writeFileSync(file, `${seconds}\n`);
      const environment = {
        LD_PRELOAD: FAKETIME!,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        DONT_FAKE_MONOTONIC: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      };
      step('+0');
      await scene.end('SIGTERM');
      scene.start(['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)]);
      for (const seconds of ['+3600', '-3600', '+0']) {
        await for_(scene, 1_000, 3_000);
        step(seconds);
      }
      await scene.end(scene.random.pick(['SIGTERM', 'SIGKILL'] as const));
      scene.start();
    },
  },
  {
    name: 'receiver: SIGKILL, and away for a while',
    async do(scene) {
      await scene.receiver.kill();
      await for_(scene, 0, 4_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: SIGKILL, and the relay too',
    async do(scene) {
      await scene.receiver.kill();
      await for_(scene, 0, 2_000);
      await scene.end('SIGKILL');
      scene.start();
      await for_(scene, 0, 2_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: frozen, then killed with unread data',
    async do(scene) {
      scene.receiver.freeze();
      await for_(scene, 500, 4_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: frozen for a while',
    async do(scene) {
      scene.receiver.freeze();
      await for_(scene, 1_000, 8_000);
      scene.receiver.thaw();
    },
  },
  {
    name: 'receiver: resets with unread data',
    async do(scene) {
      await scene.receiver.behave({ does: 'reset', everyBytes: 20_000, times: 3, frozenMs: 200 });
      await for_(scene, 2_000, 6_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: closes by itself, again and again',
    async do(scene) {
      await scene.receiver.behave({ does: 'close', afterBytes: scene.random.int(1, 30_000) });
      await for_(scene, 2_000, 6_000);
      await scene.receiver.restart();
    },
  },
  ...(['accepted', 'begun', 'shaken'] as const).map(
    (when): Harm => ({
      name: `receiver: accepts, and closes at once: ${when}`,
      whyNot: ({ transport }) =>
        transport === 'tls' || when === 'accepted' ? undefined : 'needs a handshake: TLS',
      async do(scene) {
        await scene.receiver.restart();
        await scene.receiver.behave({ does: 'refuse', when });
        await for_(scene, 1_000, 5_000);
        await scene.receiver.restart();
      },
    }),
  ),
  {
    name: 'receiver: shows a wrong certificate for a while',
    whyNot: ({ transport }) => (transport === 'tls' ? undefined : 'needs TLS'),
    async do(scene) {
      const { server } = await testCertificates();
      await scene.receiver.restart(server[scene.random.pick(['expired', 'otherName', 'otherCa'] as const)]);
      await for_(scene, 1_000, 5_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: accepts and reads nothing',
    async do(scene) {
      await scene.receiver.restart();
      await scene.receiver.behave({ does: 'ignore' });
      await for_(scene, 2_000, 8_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: reads a byte a second',
    async do(scene) {
      await scene.receiver.restart();
      await scene.receiver.behave({ does: 'read-slowly', bytesPerSecond: 1 });
      await for_(scene, 2_000, 6_000);
      await scene.receiver.restart();
    },
  },
  {
    name: 'receiver: vanishes without a word',
    whyNot: ({ namespace }) => (namespace ? undefined : 'needs a network namespace, and plain TCP'),
    async do(scene) {
      scene.namespace!.vanish();
      await for_(scene, 2_000, 8_000);
      scene.namespace!.heal();
    },
  },
  {
    name: 'receiver: vanishes without a word, and another one comes in its place',
    whyNot: ({ namespace }) => (namespace ? undefined : 'needs a network namespace, and plain TCP'),
    async do(scene) {
      scene.namespace!.vanish();
      // What its kernel would say of the end of it does not come through.
      await scene.receiver.restart();
      await for_(scene, 0, 6_000);
      scene.namespace!.heal();
    },
  },
  {
    name: 'other sinks: each does something wrong',
    async do(scene) {
      beginTrouble(scene);
      await for_(scene, 2_000, 6_000);
      for (const side of scene.sides) side.heal();
    },
  },
  {
    name: 'other sinks: each does something wrong, and the relay is killed',
    async do(scene) {
      beginTrouble(scene);
      await for_(scene, 0, 2_000);
      await scene.end('SIGKILL');
      scene.start();
      await for_(scene, 0, 3_000);
      for (const side of scene.sides) side.heal();
    },
  },
  {
    name: 'disk: full',
    isDiskFault: true,
    whyNot: ({ hasOwnDisk }) => (hasOwnDisk ? undefined : 'needs to mount a small disk'),
    async do(scene) {
      const filler = join(scene.state, 'filler');
      fill(filler);
      await for_(scene, 1_000, 5_000);
      // What was given up meanwhile is taken, too.
      fill(`${filler}-2`);
      await for_(scene, 500, 2_000);
      for (const file of [filler, `${filler}-2`]) rmSync(file, { force: true });
    },
  },
  {
    name: 'disk: full, and the relay killed',
    isDiskFault: true,
    whyNot: ({ hasOwnDisk }) => (hasOwnDisk ? undefined : 'needs to mount a small disk'),
    async do(scene) {
      const filler = join(scene.state, 'filler');
      fill(filler);
      await for_(scene, 500, 2_000);
      await scene.end('SIGKILL');
      scene.start();
      await for_(scene, 500, 2_000);
      rmSync(filler);
      // One that cannot begin without room has ended with a message.
      await sleep(1_000);
      if (!scene.relay.running) await restarted(scene);
    },
  },
  {
    name: 'disk: every sync fails (EIO)',
    isDiskFault: true,
    whyNot: strace,
    do: (scene) => atSyncs(scene, 'error=EIO', scene.random.int(500, 3_000)),
  },
  {
    name: 'disk: nothing can be written to it (EROFS)',
    isDiskFault: true,
    whyNot: strace,
    do: (scene) => at(scene, 'pwrite64,ftruncate', 'error=EROFS', scene.random.int(500, 3_000)),
  },
  {
    name: 'disk: a sync takes half a second',
    whyNot: strace,
    do: (scene) => atSyncs(scene, 'delay_exit=500000', scene.random.int(2_000, 6_000)),
  },
  ...byTurns.map(
    (fault): Harm => ({
      name: `graph: ${fault}`,
      async do(scene) {
        scene.setFaults({ [fault]: 0.3 });
        await for_(scene, 2_000, 6_000);
        scene.setFaults({});
      },
    }),
  ),
];

/** To the last byte. */
function fill(file: string): void {
  const block = Buffer.alloc(64 * 1024, 1);
  for (const size of [block.length, 4_096, 1]) {
    try {
      for (;;) writeFileSync(file, block.subarray(0, size), { flag: 'a' });
    } catch {
      // Full for blocks of this size.
    }
  }
}
