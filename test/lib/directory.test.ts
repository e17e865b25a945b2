import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory } from '../../src/lib/directory.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('makeDirectory()', () => {
  it('makes what is missing, and says whether anything was', () => {
    const deep = join(folder, 'a', 'b', 'c');
    expect(makeDirectory(deep, 0o700)).toBe(true);
    expect(statSync(deep).mode & 0o777).toBe(0o700);
    expect(makeDirectory(deep, 0o700)).toBe(false);
  });

  it('takes a path with a slash at its end, and a relative one', () => {
    expect(makeDirectory(`${join(folder, 'a', 'b')}/`)).toBe(true);
    expect(makeDirectory('.')).toBe(false);
  });

  it('leaves the mode of a directory that is there', () => {
    mkdirSync(join(folder, 'open'), { mode: 0o755 });
    makeDirectory(join(folder, 'open'), 0o700);
    expect(statSync(join(folder, 'open')).mode & 0o777).toBe(0o755);
  });

  it('throws where a file is in the way', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => makeDirectory(file)).toThrow(/^EEXIST/);
    expect(() => makeDirectory(join(file, 'x', 'y'))).toThrow(/^ENOTDIR/);
  });

  // Node's own `recursive` does not come back from this.
  it.skipIf(!existsSync('/proc/self'))('throws where the system makes nothing and says ENOENT', () => {
    expect(() => makeDirectory('/proc/nothing/here')).toThrow(/^ENOENT/);
  });
});
