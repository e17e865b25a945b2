import { closest } from 'fastest-levenshtein';
import { GraphError } from './answer.ts';
import { TokenError } from './entra.ts';
import { challenge, unauthorized } from './faults.ts';

interface Refusal {
  /** For `--help`. */
  readonly meaning: string;
  /** Of the token endpoint or of Graph, whichever it is. */
  readonly error: TokenError | GraphError;
}

/** Refusals that do not pass by waiting: somebody has to do something about them. */
export const refusalTable = {
  'secret-wrong': {
    meaning: 'Entra ID: the secret is wrong (AADSTS7000215)',
    error: new TokenError(401, 'invalid_client', 7000215, 'Invalid client secret provided.'),
  },
  'secret-expired': {
    meaning: 'Entra ID: the secret has expired (AADSTS7000222)',
    error: new TokenError(401, 'invalid_client', 7000222, 'The provided client secret keys are expired.'),
  },
  'unknown-app': {
    meaning: 'Entra ID: the app is not in this tenant (AADSTS700016)',
    error: new TokenError(400, 'unauthorized_client', 700016, 'The application was not found.'),
  },
  'unknown-tenant': {
    meaning: 'Entra ID: there is no such tenant (AADSTS90002)',
    error: new TokenError(400, 'invalid_request', 90002, 'The tenant was not found.'),
  },
  token: {
    meaning: 'Graph: 401 for every token',
    error: unauthorized('Access token validation failure. Invalid audience.'),
  },
  clock: {
    meaning: 'Graph: 401, every token has expired',
    error: unauthorized('Lifetime validation failed, the token is expired.'),
  },
  access: { meaning: 'Graph: 401 with a claims challenge (Conditional Access)', error: challenge() },
  licence: {
    meaning: 'Graph: 403 though the role is there',
    error: new GraphError(403, 'Forbidden', 'Tenant is not provisioned.'),
  },
  request: {
    meaning: 'Graph: 400 for every request',
    error: new GraphError(400, 'BadRequest', 'Invalid filter clause.'),
  },
  'not-found': {
    meaning: 'Graph: 404 for every request',
    error: new GraphError(404, 'BadRequest', 'Resource not found for the segment.'),
  },
  gone: {
    meaning: 'Graph: 410 for every request',
    error: new GraphError(410, 'Gone', 'The API has been retired.'),
  },
} as const satisfies Readonly<Record<string, Refusal>>;

export type RefusalName = keyof typeof refusalTable;

/** @throws {Error} that says which refusals there are, and which one may have been meant */
export function parseRefusal(name: string): RefusalName {
  if (Object.hasOwn(refusalTable, name)) return name as RefusalName;
  const names = Object.keys(refusalTable);
  const meant = closest(name, names);
  throw new Error(`unknown refusal "${name}": did you mean "${meant}"? There are: ${names.join(', ')}`);
}
