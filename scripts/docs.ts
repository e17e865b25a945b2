/** `npm run docs`: writes the files that are made from the code. A test says when one is out of date. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generated } from './generated.ts';

for (const { path, make } of generated) writeFileSync(join(import.meta.dirname, '..', path), make());
