import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** In the place of a directory: none that outlives the process. As SQLite calls it. */
export const IN_MEMORY = ':memory:';

/** What Linux keeps in memory. */
const SHARED_MEMORY = '/dev/shm';

/** A new directory that is gone once it is closed; in memory where the system has such a place. */
export class MemoryDirectory {
  readonly path: string;

  constructor(root = existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir()) {
    this.path = mkdtempSync(join(root, 'defender-relay-'));
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
