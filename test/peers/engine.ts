import { existsSync } from 'node:fs';
import { homedir } from 'node:os';

/** Where the engines listen, when nothing else is said. */
const sockets = [
  '/var/run/docker.sock',
  `${process.env.XDG_RUNTIME_DIR}/docker.sock`,
  `${homedir()}/.docker/run/docker.sock`,
  `${homedir()}/.docker/desktop/docker.sock`,
];

/** Images that tests need: a folder of `images`, or of Microsoft's registry. */
export type Image = 'rsyslog' | 'syslog-ng' | 'event-hubs-emulator';

/** Makes images or fetches them, and says for each why that cannot be done here; empty where it can. */
export async function reasonsAgainst(images: readonly Image[]): Promise<Readonly<Record<string, string>>> {
  const noEngine = images.length > 0 ? await whyNoEngine() : undefined;
  const reasons: Record<string, string> = {};
  for (const image of images) reasons[image] = noEngine ?? (await whyNoImage(image)) ?? '';
  return reasons;
}

async function whyNoImage(image: Image): Promise<string | undefined> {
  try {
    if (image === 'event-hubs-emulator') await (await import('./event-hubs-emulator.ts')).fetchImages();
    else await (await import('./peer-container.ts')).makeImage(image);
    return undefined;
  } catch (error) {
    return `its image cannot be had: ${error instanceof Error ? error.message : error}`;
  }
}

/** Why nothing can be run in a container here; `undefined` when it can. */
async function whyNoEngine(): Promise<string | undefined> {
  // To load the library takes a while, and most machines that run the tests have no engine.
  if (!process.env.DOCKER_HOST && !sockets.some((socket) => existsSync(socket)))
    return 'there is no container engine here: start Docker, or set DOCKER_HOST';
  try {
    const { getContainerRuntimeClient } = await import('testcontainers');
    await getContainerRuntimeClient();
    return undefined;
  } catch (error) {
    return `the container engine does not answer: ${error instanceof Error ? error.message : error}`;
  }
}
