/** Makes the program that is installed: `node scripts/build.ts`. */
import { join } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');

/**
 * Puts all that the program needs into a few files, in the place of some thousands (decision 18). What is imported when
 * it is needed only has a file of its own.
 *
 * @param dir what is there goes
 * @param plugins what is to be done to the sources first
 */
export async function build(dir: string, plugins: readonly Plugin[] = []): Promise<void> {
  const bundle = await rolldown({
    cwd: root,
    // The journal's thread is an entry of its own, beside the file that starts it as it is in the sources.
    input: { main: 'src/main.ts', worker: 'src/journal/worker.ts' },
    platform: 'node',
    plugins: [...plugins],
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
      // Stack traces name the source by the comment above each module.
      comments: { legal: true },
    });
  } finally {
    await bundle.close();
  }
}

if (import.meta.main) await build(join(root, 'dist'));
