import { z } from 'zod';
import { path, secret } from '../lib/fields.ts';

/** Microsoft's clouds: where Graph and its token authority are. China has no alerts_v2, so it is not offered. */
export const clouds = {
  global: { graph: 'https://graph.microsoft.com', authority: 'https://login.microsoftonline.com' },
  usgov: { graph: 'https://graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  'usgov-dod': { graph: 'https://dod-graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
} as const;

const origin = (what: string) =>
  z
    .url({
      protocol: /^https$/,
      error: `expected ${what}, an https address such as "https://graph.microsoft.com"`,
    })
    .transform((text) => new URL(text).origin);

/** A directory (tenant) of Entra ID, and how to sign in to it. */
export const tenantSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and "-", a letter first')
    .describe('Shown in logs and metrics.'),
  tenantId: z.guid('expected the GUID of the tenant (Entra ID, "Tenant ID")').describe('GUID of the tenant.'),
  cloud: z
    .enum(Object.keys(clouds) as [keyof typeof clouds])
    .default('global')
    .describe('Which of Microsoft’s clouds.'),
  graphEndpoint: origin('the root of Graph')
    .optional()
    .describe('In place of the cloud’s: simulator, private gateway.'),
  authorityHost: origin('the token authority').optional().describe('In place of the cloud’s.'),
  ca: path().optional().describe('PEM file with further CA certificates, e.g. of an inspecting proxy.'),
  credential: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('client-secret'),
      clientId: z
        .guid('expected a GUID (Entra ID, "Application (client) ID")')
        .or(z.literal('simulator'))
        .describe('Application (client) id.'),
      clientSecret: secret().describe('The secret’s value, not its id.'),
    }),
  ]),
});

export type TenantSettings = z.output<typeof tenantSchema>;

/** Where Graph is, for a tenant. */
export function graphOrigin({ graphEndpoint, cloud }: TenantSettings): string {
  return graphEndpoint ?? clouds[cloud].graph;
}

/** Where tokens are asked for, for a tenant. */
export function authorityOrigin({ authorityHost, cloud }: TenantSettings): string {
  return authorityHost ?? clouds[cloud].authority;
}

/**
 * The scope that a token for Graph is asked with: the root of that Graph which the authority knows. A
 * `graphEndpoint` alone is a gateway on the way to the cloud's Graph; with an `authorityHost` of its own it is
 * another Graph.
 */
export function graphScope(settings: TenantSettings): string {
  const root = settings.authorityHost ? graphOrigin(settings) : clouds[settings.cloud].graph;
  return `${root}/.default`;
}
