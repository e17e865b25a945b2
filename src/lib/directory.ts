import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it that are missing; says whether it was missing. Not Node's own `recursive`:
 * that goes on for ever where the system answers ENOENT to every try, as under `/proc` (seen with Node 24).
 *
 * @throws what `mkdirSync` throws, with its `code`
 */
export function makeDirectory(directory: string, mode?: number): boolean {
  try {
    return makeOne(directory, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(directory) === directory) throw error;
  }
  makeDirectory(dirname(directory), mode);
  return makeOne(directory, mode);
}

function makeOne(directory: string, mode: number | undefined): boolean {
  try {
    mkdirSync(directory, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isDirectory(directory)) throw error;
    return false;
  }
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
