import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parse } from 'yaml';

export const root = join(import.meta.dirname, '../..');

/** Whose the relay's files in the image are. */
const USER = 65_532;

/** The image of the Dockerfile, built on images made of this machine's own programs: nothing is fetched. */
export interface Image {
  /** What the image says of itself. */
  readonly config: ImageConfig;
  /** What to start so that a command runs in it, as its user; `volumes` are `from:to`. */
  run(command: readonly string[], volumes?: readonly string[]): readonly string[];
  /** Files that others than root could change, without those in the state directory. */
  writable(): string[];
  /** Names in a folder of it. */
  list(folder: string): string[];
  close(): void;
}

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Volumes: object;
  readonly StopSignal: string;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/**
 * Builds it; some 40 seconds. `npm ci` inside is offline: it gets what `npm ci` outside has left in npm's cache.
 *
 * @throws {Error} with the end of what was printed
 */
export async function buildImage(): Promise<Image> {
  const folder = mkdtempSync(join(tmpdir(), 'defender-relay-image-'));
  const storage = [
    '--root',
    join(folder, 'root'),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    'vfs',
  ];
  const buildah = (...args: string[]) =>
    execFileSync('buildah', [...storage, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  const close = () => {
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [build, runtime] = baseImages();
    standIn(buildah, build!, buildFiles(join(folder, 'build')), { PATH: '/usr/local/bin:/usr/bin:/bin' });
    standIn(buildah, runtime!, runtimeFiles(join(folder, 'runtime')), {});
    await output('buildah', [
      ...storage,
      ...['bud', '--isolation', 'chroot', '--pull=never', '--layers=false', '--format', 'docker'],
      ...['--volume', `${npmCache()}:/cache`, '--tag', 'relay', root],
    ]);
  } catch (error) {
    close();
    throw error;
  }
  // One machine for all: the names that the services of docker-compose.yml have for each other are its own.
  const hosts = Object.keys(compose().services).map((name) => `--add-host=${name}:127.0.0.1`);
  // One container, too: a further one would be a further copy of all files.
  const container = buildah('from', '--pull-never', ...hosts, 'relay');
  const files = () => buildah('mount', container);
  return {
    config: JSON.parse(buildah('inspect', '--type', 'image', 'relay')).Docker.config,
    run(command, volumes = []) {
      const mounts = volumes.map((volume) => `--volume=${volume}`);
      return ['buildah', ...storage, 'run', '--isolation', 'chroot', ...mounts, container, '--', ...command];
    },
    writable() {
      const state = ['-path', '*/var/lib/defender-relay', '-prune'];
      const others = ['-user', `${USER}`, '-o', '-group', `${USER}`, '-o', '-perm', '-o+w'];
      const args = [...state, '-o', '-not', '-type', 'l', '(', ...others, ')', '-print'];
      const found = execFileSync('find', [files(), ...args], { encoding: 'utf8' });
      return found.split('\n').filter(Boolean);
    },
    list: (path) => readdirSync(join(files(), path)),
    close,
  };
}

/** A service of docker-compose.yml, as far as the tests look at it. */
export interface Service {
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

export function compose(): { readonly services: Readonly<Record<string, Service>> } {
  return parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true });
}

/** Names of the images that the Dockerfile begins with. */
function baseImages(): string[] {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
  return [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name]) => name!);
}

function standIn(
  buildah: (...args: string[]) => string,
  name: string,
  files: string,
  env: Readonly<Record<string, string>>,
): void {
  const container = buildah('from', 'scratch');
  buildah('copy', '--quiet', container, files, '/');
  for (const [key, value] of Object.entries(env)) buildah('config', '--env', `${key}=${value}`, container);
  buildah('commit', '--quiet', '--rm', container, name);
  rmSync(files, { recursive: true });
}

/** What `node:24-slim` has and the Dockerfile needs: a shell, Node, npm, all of the C library. */
function buildFiles(folder: string): string {
  install(folder, process.execPath, '/usr/local/bin/node');
  install(folder, '/bin/sh');
  install(folder, '/bin/mkdir');
  install(folder, '/usr/bin/env');
  const files = execFileSync('dpkg', ['-L', 'libc6'], { encoding: 'utf8' }).split('\n');
  for (const file of files.filter((path) => /\.so\.\d+$/.test(path))) {
    cpSync(realpathSync(file), join(folder, file));
  }
  const npm = dirname(dirname(npmProgram()));
  cpSync(npm, join(folder, 'usr/local/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(folder, 'usr/local/bin/npm'));
  mkdirSync(join(folder, 'usr/local/etc'));
  writeFileSync(join(folder, 'usr/local/etc/npmrc'), 'offline=true\ncache=/cache\n');
  for (const name of ['tmp', 'root']) mkdirSync(join(folder, name));
  return folder;
}

/** What the image without a shell has: Node, and where names are looked up. */
function runtimeFiles(folder: string): string {
  install(folder, process.execPath, '/nodejs/bin/node');
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/passwd'), `nonroot:x:${USER}:${USER}::/home/nonroot:/sbin/nologin\n`);
  writeFileSync(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  mkdirSync(join(folder, 'var/lib'), { recursive: true });
  return folder;
}

/** Copies a program of this machine with its libraries. */
function install(folder: string, program: string, to = program): void {
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const [from, path] of [[program, to], ...libraries.map((library) => [library, library])]) {
    cpSync(realpathSync(from!), join(folder, path!));
  }
}

/** npm's program: of the npm that runs this, or the first in PATH. */
function npmProgram(): string {
  const { npm_execpath: running, PATH = '' } = process.env;
  if (running) return realpathSync(running);
  for (const folder of PATH.split(delimiter)) {
    try {
      return realpathSync(join(folder, 'npm'));
    } catch {
      // Not in this one.
    }
  }
  throw new Error('no npm in PATH');
}

function npmCache(): string {
  return execFileSync(process.execPath, [npmProgram(), 'config', 'get', 'cache'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/** Not `execFileSync`: while it lasts the test runner must go on answering. */
function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (data) => (text += data));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${command} ended with ${code}:\n${text.slice(-2_000)}`));
    });
  });
}
