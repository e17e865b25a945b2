// From the tables themselves, not from the simulator's index: help must not load all of it.
import { DEFAULT_PROBABILITY, faultTable } from '../simulator/faults.ts';
import { refusalTable } from '../simulator/refusals.ts';

/** The faults and the refusals, for `--help`. */
export const faultsHelp = `
Faults:
${Object.entries(faultTable)
  .map(([name, { meaning, per }]) => `  ${name.padEnd(14)} ${meaning} (per ${per})`)
  .join('\n')}
Each has a probability, ${DEFAULT_PROBABILITY} unless told otherwise: --faults all=0.02,outage=0

What --refuse can be: nothing passes then, until the simulator is started without it.
${Object.entries(refusalTable)
  .map(([name, { meaning }]) => `  ${name.padEnd(14)} ${meaning}`)
  .join('\n')}
An app without the permission: --roles none

Any tenant GUID, client "simulator" and secret "simulator-secret" are let in.`;
