import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { testFolder } from '../support/folder.ts';
import { openMachine } from './machine.ts';
import { buildImage, compose, type Image, root } from './stand-in.ts';

const TIMEOUT = { timeout: 30_000 };
const peers = ['buildah', 'network namespaces', 'rsyslog'] as const;
const missing = peers.some((peer) => whyMissing(peer) !== undefined);
const rsyslogDockerfile = readFileSync(join(root, 'deploy/compose/rsyslog/Dockerfile'), 'utf8');

describe.each(['Dockerfile', 'deploy/compose/rsyslog/Dockerfile'])('%s', (file) => {
  it('has nothing that a linter finds', () => {
    expect(validate(readFileSync(join(root, file), 'utf8'))).toEqual([]);
  });
});

describe.skipIf(missing)(`the image (skipped without one of ${peers.join(', ')})`, () => {
  let image: Image;
  beforeAll(async () => {
    image = await buildImage();
  }, 400_000);
  afterAll(() => image?.close());

  it('runs the relay as nobody, and is told to end as the relay expects', () => {
    expect(image.config).toMatchObject({
      User: '65532:65532',
      Cmd: ['run'],
      StopSignal: 'SIGTERM',
      Volumes: { '/var/lib/defender-relay': {} },
    });
  });

  it('holds nothing that the relay could change, but its state', () => {
    expect(image.writable()).toEqual([]);
  });

  it('holds neither the tools that built it nor a second Node', () => {
    expect(image.list('/app')).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json']);
    const packages = image.list('/app/node_modules');
    expect(packages).toContain('pino');
    expect(packages.filter((name) => /^(node-|typescript|vitest)/.test(name))).toEqual([]);
  });

  it('does what docker-compose.yml promises: alerts arrive at rsyslog', async () => {
    const machine = openMachine();
    onTestFinished(() => machine.close());
    const volumes = new Map<string, string>();
    /** A service's volumes: files of this repository, and folders by name. */
    const mounts = (service: string) =>
      compose().services[service]!.volumes!.map((volume) => {
        const [from, ...rest] = volume.split(':') as [string, ...string[]];
        if (!from.startsWith('.') && !volumes.has(from)) volumes.set(from, newVolume());
        return [volumes.get(from) ?? join(root, from), ...rest].join(':');
      });
    const { Entrypoint: entrypoint, Cmd: run, Healthcheck: health } = image.config;
    const { command: simulate, healthcheck } = compose().services.simulator!;
    const [, ...relayCheck] = health.Test;
    const [, ...simulatorCheck] = healthcheck!.test;

    const rsyslog = machine.start(rsyslogCommand());
    const simulator = machine.start(image.run([...entrypoint, ...simulate!], mounts('simulator')));
    await expect
      .poll(() => machine.exitCode(image.run(simulatorCheck, mounts('simulator'))), TIMEOUT)
      .toBe(0);

    const relay = machine.start(image.run([...entrypoint, ...run], mounts('relay')));
    await expect.poll(() => machine.exitCode(image.run(relayCheck)), TIMEOUT).toBe(0);
    await expect.poll(() => rsyslog.stdout, TIMEOUT).toMatch(/ CEF:0\|Microsoft\|.*\n.* CEF:0\|/);

    machine.end([...entrypoint, ...run]);
    expect(await relay.ended, relay.stderr).toBe(0);
    expect(relay.stderr).toContain('"stopped"');
    // Nobody listens any more.
    expect(await machine.exitCode(image.run(relayCheck))).toBe(1);
    machine.end([...entrypoint, ...simulate!]);
    expect(await simulator.ended, simulator.stderr).toBe(0);
  }, 120_000);
});

/** A folder as Docker makes a volume from the image: its owner's, and open; the relay closes it. */
function newVolume(): string {
  const folder = join(testFolder(), 'volume');
  mkdirSync(folder);
  chownSync(folder, 65_532, 65_532);
  return folder;
}

/**
 * What the container of rsyslog runs, with the config where it is here. Through a pipe, as in a container: the standard
 * output that Node gives to a child is a socket, and that cannot be opened as /dev/stdout.
 */
function rsyslogCommand(): string[] {
  const entrypoint = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(rsyslogDockerfile)![1]!) as string[];
  const config = join(root, 'deploy/compose/rsyslog/rsyslog.conf');
  const command = entrypoint.map((word) => (word === '/etc/rsyslog.conf' ? config : word));
  return ['sh', '-c', '"$@" | cat', 'sh', ...command];
}
