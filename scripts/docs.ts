/** `npm run docs`: writes the pages that are made from the code. A test says when one is out of date. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage, PAGE } from './configuration.ts';

writeFileSync(join(import.meta.dirname, '..', PAGE), configurationPage());
