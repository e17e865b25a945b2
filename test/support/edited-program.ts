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
  for (const edit of edits) {
    const path = join(folder, 'dist', edit.file);
    writeFileSync(path, edited(readFileSync(path, 'utf8'), edit));
  }
  return join(folder, 'dist/main.js');
}

/** @throws {Error} as above */
export function edited(text: string, { file, find, put }: Edit): string {
  const pieces = text.split(find);
  if (pieces.length !== 2)
    throw new Error(`dist/${file} has this not once, but ${pieces.length - 1} times: ${find}`);
  return pieces.join(put);
}

/** What the built program has in the place of an edit, and would have. */
export function editedFile(edit: Edit): string {
  return edited(readFileSync(join(root, 'dist', edit.file), 'utf8'), edit);
}
