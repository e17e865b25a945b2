import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../../scripts/build.ts';

const root = join(import.meta.dirname, '../..');
const src = join(root, 'src');

/** One place of the program, as it is and as it is to be. */
export interface Edit {
  /** Below `src`. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly put: string;
}

/**
 * The program built with edits, in a new folder; gives its main file. So the program itself needs no switch for
 * what only a test wants of it, such as a fault.
 *
 * @throws {Error} the program has changed, and an edit would not be made where it belongs
 */
export async function editedProgram(folder: string, edits: readonly Edit[]): Promise<string> {
  mkdirSync(folder);
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  const transform = (text: string, path: string) => {
    const own = edits.filter(({ file }) => join(src, file) === path);
    return own.length > 0 ? own.reduce(edited, text) : undefined;
  };
  await build(join(folder, 'dist'), {
    plugins: [{ name: 'edits', transform: { order: 'pre', handler: transform } }],
  });
  return join(folder, 'dist/main.js');
}

/** @throws {Error} as above */
export function edited(text: string, { file, find, put }: Edit): string {
  const pieces = text.split(find);
  if (pieces.length !== 2)
    throw new Error(`src/${file} has this not once, but ${pieces.length - 1} times: ${find}`);
  return pieces.join(put);
}

/** What the program has in the place of an edit, and would have. */
export function editedFile(edit: Edit): string {
  return edited(readFileSync(join(src, edit.file), 'utf8'), edit);
}
