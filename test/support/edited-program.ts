import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** One place of the built program, as it is and as it is to be. */
export interface Edit {
  /** Below `dist`. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly put: string;
}

/**
 * A copy of the built program with edits, in a new folder; gives its main file. So the program itself needs no switch for
 * what only a test wants of it, such as a fault.
 *
 * @throws {Error} the program has changed, and an edit would not be made where it belongs
 */
export function editedProgram(folder: string, edits: readonly Edit[]): string {
  mkdirSync(folder);
  const filter = (path: string) => !path.endsWith('.map');
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, filter });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, find, put } of edits) {
    const path = join(folder, 'dist', file);
    const [before, after, ...more] = readFileSync(path, 'utf8').split(find);
    if (before === undefined || after === undefined || more.length > 0)
      throw new Error(
        `dist/${file} has this not once, but ${after === undefined ? 0 : more.length + 1} times: ${find}`,
      );
    writeFileSync(path, before + put + after);
  }
  return join(folder, 'dist/main.js');
}
