import { configurationPage, PAGE } from './configuration.ts';
import { EXAMPLE, exampleConfig } from './example.ts';
import { OWN_EVENTS, ownEventsPage } from './own-events.ts';
import { editorSchema, SCHEMA } from './schema.ts';

/** Every file that is made from the code. */
export const generated: readonly { readonly path: string; readonly make: () => string }[] = [
  { path: PAGE, make: configurationPage },
  { path: SCHEMA, make: editorSchema },
  { path: EXAMPLE, make: exampleConfig },
  { path: OWN_EVENTS, make: ownEventsPage },
];
