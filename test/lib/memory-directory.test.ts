import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MemoryDirectory } from '../../src/lib/memory-directory.ts';
import { testFolder } from '../support/folder.ts';

it('is another one each time, and gone with all that is in it when it is closed', () => {
  const root = testFolder();
  const [one, other] = [new MemoryDirectory(root), new MemoryDirectory(root)];
  writeFileSync(join(one.path, 'file'), 'text');
  one.close();
  expect([one, other].map(({ path }) => existsSync(path))).toEqual([false, true]);
  one.close();
  other.close();
});
