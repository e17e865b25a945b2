#!/usr/bin/env node
// The process: arguments in, exit code out. This file is read by old versions of Node too, so that they can say
// what they need: nothing newer than dynamic import may stand in it.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const WANTED = 24;

/** Path of the Node that came as an npm package with us (decision 1), or undefined. */
function packagedNode(): string | undefined {
  try {
    const name = `node-${process.platform}-${process.arch}`;
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    return undefined;
  }
}

/** Starts this program again with another Node and ends as it ends. */
function startAgain(node: string): void {
  const child = spawn(node, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)), {
    stdio: 'inherit',
  });
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => {
      // At Ctrl-C the terminal tells the child itself; telling it twice would mean "end at once".
      if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`defender-relay: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    // Ended by a signal: what a shell would say.
    process.exitCode = signal === null ? (code as number) : 128 + constants.signals[signal];
  });
}

if (Number(process.versions.node.split('.')[0]) >= WANTED) {
  import('./cli/index.ts')
    .then(({ main }) => main(process.argv.slice(2), (code) => process.exit(code)))
    .then((code) => {
      // That standard output could not be written may have set another one.
      if (code !== 0) process.exitCode = code;
    });
} else {
  const node = packagedNode();
  if (node) {
    startAgain(node);
  } else {
    process.stderr.write(
      `defender-relay needs Node ${WANTED} or later, and this is ${process.version}: install it from https://nodejs.org, or run "npm ci" without --omit=optional.\n`,
    );
    process.exitCode = 1;
  }
}
