import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  getContainerRuntimeClient,
  Wait,
} from 'testcontainers';
import { untilStopped } from '../support/freeze.ts';
import type { Image } from './engine.ts';
import type { Peer, Program } from './peer-process.ts';

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

/** A program, and the container that it runs in. */
export interface ContainedProgram extends Program {
  readonly image: Image;
  /** Where its files are; inside by the same name as outside. */
  readonly folder: string;
}

/**
 * As a container, on the network of this machine: ports, files and what it says are the same as those of the process that
 * it stands for, and so are the tests.
 */
export class PeerContainer implements Peer {
  readonly #program: ContainedProgram;
  #container: Container | undefined;

  constructor(program: ContainedProgram) {
    this.#program = program;
  }

  async start(): Promise<void> {
    if (this.#container) await this.#container.start();
    else this.#container = await created(this.#program);
    while (!this.#program.isReady()) {
      const { State } = await this.#container.inspect();
      if (!State.Running) throw new Error(`${this.#program.command} did not start: ${await this.#said()}`);
      await sleep(20);
    }
  }

  async freeze(): Promise<void> {
    if (!this.#container) return;
    const { State } = await this.#container.inspect();
    await this.#container.kill({ signal: 'SIGSTOP' });
    untilStopped(State.Pid);
  }

  async thaw(): Promise<void> {
    await this.#container?.kill({ signal: 'SIGCONT' });
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#container || !(await this.#container.inspect()).State.Running) return;
    const ended = this.#container.wait();
    await this.#container.kill({ signal });
    // A frozen one would not heed SIGTERM.
    if (signal === 'SIGTERM') await this.thaw().catch(() => {});
    await ended;
  }

  async remove(): Promise<void> {
    await this.#container?.remove({ force: true, v: true });
    this.#container = undefined;
  }

  async #said(): Promise<string> {
    const said = await this.#container?.logs({ stdout: true, stderr: true });
    return said?.toString('utf8') ?? '';
  }
}

/** Makes the image, or finds it: what is made stays for the next run. */
export function makeImage(image: Image): Promise<GenericContainer> {
  const context = join(import.meta.dirname, 'images', image);
  return GenericContainer.fromDockerfile(context).build(`defender-relay-test/${image}`, {
    deleteOnExit: false,
  });
}

async function created({ image, folder, command, args }: ContainedProgram): Promise<Container> {
  const made = await makeImage(image);
  const started = await made
    .withNetworkMode('host')
    .withBindMounts([{ source: folder, target: folder }])
    // What it writes is ours to read and to remove.
    .withUser(`${process.getuid?.()}:${process.getgid?.()}`)
    .withEnvironment({ TZ: 'UTC' })
    .withEntrypoint([command])
    .withCommand([...args])
    .withWaitStrategy(Wait.forListeningPorts())
    .start();
  return (await getContainerRuntimeClient()).container.getById(started.getId());
}
