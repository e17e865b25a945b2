/** The claims of an access token; `undefined` when it cannot be read (it is opaque to us by contract). */
function readClaims(token: string): { roles?: unknown; scp?: unknown; exp?: unknown } | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What a token allows: the claim `roles` of an app, `scp` of a person. An app that was given nothing gets a token
 * all the same, without the claim. `undefined` when the token cannot be read.
 */
export function rolesOf(token: string): readonly string[] | undefined {
  const claims = readClaims(token);
  if (!claims) return undefined;
  const { roles = [], scp = '' } = claims;
  if (!Array.isArray(roles) || typeof scp !== 'string') return undefined;
  return [...roles.filter((role) => typeof role === 'string'), ...scp.split(' ').filter(Boolean)];
}

/** Whether a person has signed in: what they may do ends with them (trap S12). */
export function isPersons(token: string): boolean {
  return typeof readClaims(token)?.scp === 'string';
}

/** When a token ends, milliseconds since 1970; `undefined` when it cannot be read. */
export function expiresMs(token: string): number | undefined {
  const exp = readClaims(token)?.exp;
  return typeof exp === 'number' ? exp * 1000 : undefined;
}
