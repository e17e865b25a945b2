/** Makes the program that is installed: `node scripts/build.ts`. */
import { join } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');

export interface BuildOptions {
  readonly plugins?: readonly Plugin[];
  readonly input?: Record<string, string>;
}

/** The journal's thread is an entry of its own, beside the file that starts it as it is in the sources. */
const PROGRAM = { main: 'src/main.ts', worker: 'src/journal/worker.ts' };

/**
 * Puts all that the program needs into a few files, in the place of some thousand (decision 18). What is imported when
 * it is needed only has a file of its own.
 *
 * @param dir what is there goes
 * @param options.plugins what is to be done to the sources first
 * @param options.input another program: names and sources of its files
 */
export async function build(
  dir: string,
  { plugins = [], input = PROGRAM }: BuildOptions = {},
): Promise<void> {
  const bundle = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    plugins: [...plugins, oneByte],
    onLog(level, log, handle) {
      // What was not found would be missed at run time only.
      if (level === 'warn') throw new Error(log.message);
      handle(level, log);
    },
  });
  try {
    await bundle.write({
      dir,
      cleanDir: true,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
      // The comment that names the source above each module stays, for whoever reads a stack trace.
      comments: { jsdoc: false },
    });
  } finally {
    await bundle.close();
  }
}

/** V8 keeps a source for as long as the program runs, and in two bytes a character when one of them needs two. */
const oneByte: Plugin = {
  name: 'one byte a character',
  generateBundle(_, files) {
    for (const file of Object.values(files)) if (file.type === 'chunk') file.code = escaped(file.code);
  },
};

const escaped = (code: string): string =>
  code.replace(/[^\0-\xff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

if (import.meta.main) await build(join(root, 'dist'));
